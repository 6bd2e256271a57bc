package config_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

var update = flag.Bool("update", false, "write what the tests compare with")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: -want +got\n%s", path, d)
	}
}

// full says something of every layer; its secrets must not be seen.
const full = `nats:
  url: nats://u:hush@127.0.0.1:4222,nats://other:4222
accounts:
  - appid: wx1
    secret_env: S
    batch:
      window: 5ms
    input: {subject: ["wx.events.{appid}.subscribe", "wx.events.{appid}.SCAN"], fields: {openid: data.openId}}
  - appid: wx2
    token: {source: url, url: "https://tokens.example/wx2?key=hush"}
    quota: {use_at_most: 80%}
    api_fallback: [https://api2.weixin.qq.com, https://sh.api.weixin.qq.com]
    errcodes: {12345: operator, token/-1: operator}
batch:
  size: 50
log: {level: debug}
`

func TestShow(t *testing.T) {
	t.Parallel()
	cfg, faults := load(t, full, "S=hush", "WXENRICH_OUTPUT_FORMAT=json", "WXENRICH_ACCOUNTS_1_RATE=2.5")
	if faults != nil {
		t.Fatal(faults)
	}
	dir := filepath.Dir(cfg.Origin("batch.size").Where) + string(filepath.Separator)
	yaml := strings.ReplaceAll(cfg.YAML(), dir, "")
	golden(t, "show.yaml", yaml)
	settings, err := json.MarshalIndent(cfg.Settings(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "show.json", strings.ReplaceAll(string(settings), dir, "")+"\n")
	if strings.Contains(yaml, "hush") || strings.Contains(string(settings), "hush") {
		t.Error("a secret is shown")
	}

	again, faults := load(t, yaml, "S=hush")
	if faults != nil {
		t.Fatal("what show prints cannot be loaded: ", faults)
	}
	for i, s := range again.Settings() {
		if want := cfg.Settings()[i]; s.Key != want.Key || s.Value != want.Value {
			t.Errorf("%s: %q came back as %q", want.Key, want.Value, s.Value)
		}
	}
}

func TestStarter(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]config.Starter{
		"starter-own.yaml":      {AppID: "wx0123456789abcdef", SecretFile: "wx-secret", Format: "msgpack", URL: "nats://127.0.0.1:4222"},
		"starter-embedded.yaml": {AppID: "0x10", SecretFile: "dir with space/s: x", Format: "json", Embedded: true, StoreDir: "wxenrich-data"},
	} {
		text, err := s.Write()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, text)
		cfg, faults := load(t, text)
		if faults != nil {
			t.Fatal(faults)
		}
		a := cfg.Accounts[0]
		got := config.Starter{AppID: a.AppID, SecretFile: a.SecretFile, Format: cfg.Outputs[0].Format, Embedded: cfg.NATS.Embedded, StoreDir: cfg.NATS.StoreDir}
		if !got.Embedded {
			got.URL = cfg.NATS.URL
		}
		if d := cmp.Diff(s, got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// What is commented out shows the default, so with the hashes gone the file
// says nothing new.
func TestStarterCommentsAreDefaults(t *testing.T) {
	t.Parallel()
	text, err := config.Starter{AppID: "wx1", SecretFile: "s", Format: "msgpack", URL: "nats://127.0.0.1:4222"}.Write()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		for _, section := range []string{"batch", "dead", "manage", "shutdown", "http", "log"} {
			if strings.HasPrefix(line, "# "+section+":") {
				text = strings.Replace(text, line, strings.TrimPrefix(line, "# "), 1)
			}
		}
	}
	cfg, faults := load(t, text)
	if faults != nil {
		t.Fatal(faults)
	}
	for _, s := range config.Default().Settings() {
		for _, got := range cfg.Settings() {
			if got.Key == s.Key && got.Value != s.Value {
				t.Errorf("%s: the starter says %s, the default is %s", s.Key, got.Value, s.Value)
			}
		}
	}
	if cfg.Origin("log.level").Layer != "file" {
		t.Error("the test took no comment away")
	}
}

func TestTableHasEveryKey(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "zh"} {
		table := config.Table(lang)
		for _, s := range config.Default().Settings() {
			if !strings.Contains(table, "| `"+s.Key+"` |") {
				t.Errorf("%s: no row for %s", lang, s.Key)
			}
		}
		for row := range strings.Lines(table) {
			if strings.HasSuffix(strings.TrimSpace(row), "|  |") {
				t.Errorf("%s: no meaning: %s", lang, row)
			}
		}
	}
}
