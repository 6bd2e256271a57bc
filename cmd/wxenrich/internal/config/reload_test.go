package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is wrong with a running account's file lets no other file take its place,
// nor what it uses: it goes on as it runs, and the other is at fault too.
func TestReloadKeepsThePlaceOfABrokenFile(t *testing.T) {
	t.Parallel()
	const good = "appid: wx1\nsecret_env: S\n"
	for name, tc := range map[string]struct{ own, other, fault string }{
		"its appid":              {"appid: [wx1\n", "appid: wx1\nsecret_env: S\nconcurrency: 9\n", "wx1 is one.yaml as it runs too"},
		"its durable":            {"appid: [wx1\n", "appid: wx2\nsecret_env: S\ninput: {durable: wxenrich-wx1}\n", "WX_EVENTS/wxenrich-wx1 is one.yaml as it runs too"},
		"its subject":            {"appid: [wx1\n", "appid: wx2\nsecret_env: S\ninput: {subject: wx.events.wx1.subscribe}\n", "wx.events.wx1.subscribe is one.yaml as it runs too"},
		"its appid, while empty": {"", "appid: wx1\nsecret_env: S\nconcurrency: 9\n", "wx1 is one.yaml as it runs too"},
		"its appid, misspelt":    {good + "concurency: 8\n", "appid: wx1\nsecret_env: S\nconcurrency: 9\n", "wx1 is accounts[1].appid too"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("one.yaml", good)
			o := Options{Environ: []string{"WXENRICH_ACCOUNTS_DIR=" + dir, "S=0123456789abcdef0123456789abcdef"}, Accounts: true}
			running, err := Load(o)
			if err != nil {
				t.Fatal(err)
			}
			write("one.yaml", tc.own)
			write("another.yaml", tc.other) // which comes first
			next, faults := running.Reload(o)
			if ids := next.AppIDs(); !slices.Equal(ids, []string{"wx1"}) || next.Accounts[0].Concurrency != running.Accounts[0].Concurrency {
				t.Errorf("%v with concurrency %d runs on", ids, next.Accounts[0].Concurrency)
			}
			if text := faults.Error(); !strings.Contains(text, "one.yaml") || !strings.Contains(text, tc.fault) {
				t.Errorf("it says %s", text)
			}
			write("one.yaml", good)
			if err := os.Remove(filepath.Join(dir, "another.yaml")); err != nil {
				t.Fatal(err)
			}
			if last, faults := next.Reload(o); len(faults) > 0 || len(last.Accounts) != 1 {
				t.Errorf("after it was mended: %v, %v", last.AppIDs(), faults)
			}
		})
	}
}
