package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wxenrich/wxenrich/"

// listed is what these rules read of "go list -json".
type listed struct {
	ImportPath   string
	Name         string
	Doc          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// forbidden says which part of the tree may not depend on which, and why.
var forbidden = []struct{ from, to, why string }{
	{"events", "wechat", "the wire contract serves producers and consumers that never talk to WeChat"},
	{"events", "pipeline", "users of the contract do not run the service"},
	{"wechat", "events", "the API client is of use without any stream"},
	{"wechat", "pipeline", "the client makes one attempt; who retries is the pipeline's business, which imports it"},
}

// TestImportRules keeps the packages apart; the reason for each rule is in its
// message.
func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		here := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range forbidden {
			if !within(here, r.from) {
				continue
			}
			for _, dep := range p.Deps {
				if within(strings.TrimPrefix(dep, module), r.to) && strings.HasPrefix(dep, module) {
					t.Errorf("%s depends on %s: %s", here, dep, r.why)
				}
			}
		}
		if strings.HasPrefix(here, "pipeline/internal/") {
			for _, dep := range p.Imports {
				if !standard(dep) {
					t.Errorf("%s imports %s: what decides is pure, and needs the standard library only", here, dep)
				}
			}
		}
		for _, dep := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if within(strings.TrimPrefix(dep, module), "cmd") && strings.HasPrefix(dep, module) && !within(here, "cmd") {
				t.Errorf("%s imports %s: commands wire everything together, so nothing may need them", here, dep)
			}
		}
		if name := path.Base(here); name == "util" || name == "common" || p.Name == "util" || p.Name == "common" {
			t.Errorf("%s: a package is named for what it does; this name says nothing", here)
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment: it is the first thing that a reader looks for", here)
		}
	}
}

// packages is every package of the module.
func packages(t *testing.T) []listed {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Imports,TestImports,XTestImports,Deps", "./...")
	c.Dir = "../.."
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages are listed: the test tests nothing", len(all))
	}
	return all
}

// within reports whether a package is in a folder or is the folder itself.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// standard reports whether a package is of the standard library: the first
// element of every other path has a dot.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}
