package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// Whatever the file says, Load ends with faults or a configuration, and what
// show prints of the latter says the same.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"", "a", "[]", "accounts: [{appid: wx1, secret_env: S}]", full,
		"input: &i {stream: X}\naccounts: [{appid: wx1, secret_env: S, input: *i}]",
		"a: &a [*a]", "input: {subject: &s [*s]}", "batch: &b {size: *b}", "input: {fields: {[]: {}}}", "log:\n", "%YAML 1.1\n---\n{}",
		"accounts: [x, [], null]", "nats: {url: 'nats://%zz'}", "input: {subject: ['a,b']}", "output: {subject: \"\\x00\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "accounts_dir") {
			t.Skip("may name a folder of this machine")
		}
		path := filepath.Join(t.TempDir(), "w.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.Options{Path: path, Environ: []string{"S=x"}})
		if err != nil {
			return
		}
		want := cfg.Settings()
		if err := os.WriteFile(path, []byte(cfg.YAML()), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load(config.Options{Path: path, Environ: []string{"S=x"}})
		if err != nil {
			t.Fatalf("what show prints is refused: %v\n%s", err, cfg.YAML())
		}
		for i, s := range again.Settings() {
			if s.Key != want[i].Key || s.Value != want[i].Value {
				t.Fatalf("%s: %q came back as %s: %q", want[i].Key, want[i].Value, s.Key, s.Value)
			}
		}
	})
}
