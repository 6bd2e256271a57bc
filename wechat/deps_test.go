package wechat_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps the client free of what it must not know.
func TestImports(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"github.com/wxenrich/wxenrich/events":   "the API client knows nothing of the wire contract; the lane maps one to the other",
		"github.com/wxenrich/wxenrich/pipeline": "the pipeline uses the client, not the other way round",
		"github.com/wxenrich/wxenrich/cmd":      "nobody imports a command",
		"github.com/nats-io":                    "a program without NATS may use this client",
		"go.opentelemetry.io/otel/sdk":          "the otel API only; which SDK, if any, is for the program to choose",
		"net/http/httptest":                     "test libraries stay out of production code",
		"testing":                               "test libraries stay out of production code",
	}
	for _, pkg := range []string{".", "./push", "./wechattest"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			for forbidden, why := range reasons {
				if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
					t.Errorf("%s imports %s: %s", pkg, dep, why)
				}
			}
		}
	}
}
