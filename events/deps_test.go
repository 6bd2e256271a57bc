package events

import (
	"os/exec"
	"strings"
	"testing"
)

// The contract must be importable by anyone who produces or consumes events.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for forbidden, why := range map[string]string{
			"github.com/wxenrich/wxenrich/wechat":   "the contract does not depend on how profiles are fetched",
			"github.com/wxenrich/wxenrich/pipeline": "users of the contract do not run the service",
			"github.com/wxenrich/wxenrich/cmd":      "nobody imports commands",
			"github.com/nats-io/nats-server/v2":     "the server is for tests: it belongs in eventstest",
			"github.com/google/go-cmp":              "it is for tests",
		} {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("imports %s, but %s", dep, why)
			}
		}
	}
}
