package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// The tables in the READMEs are made from the type; -update writes them anew.
func TestREADME(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- config:begin -->\n", "<!-- config:end -->"
	for name, lang := range map[string]string{"README.md": "en", "README.zh-CN.md": "zh"} {
		path := filepath.Join("..", "..", "..", "..", name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		before, rest, ok := strings.Cut(string(data), begin)
		got, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Errorf("%s: no place for the table: want a line %q and below it a line %q", name, strings.TrimSpace(begin), end)
			continue
		}
		want := config.Table(lang)
		if *update && got != want {
			if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Error(err)
			}
			got = want
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: the table is old: go test ./cmd/wxenrich/internal/config -update\n-want +got\n%s", name, d)
		}
	}
}
