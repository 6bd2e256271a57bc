package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// load writes text to a file, reads it with the variables and returns the
// faults as lines, with the folder's name taken out.
func load(t *testing.T, text string, environ ...string) (*config.Config, []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "w.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Path: path, Environ: environ})
	return cfg, faultLines(err, dir)
}

func faultLines(err error, dir string) []string {
	if err == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), "\n")
}

const one = "accounts: [{appid: wx1, secret_env: S}]\n"

func TestLayers(t *testing.T) {
	t.Parallel()
	cfg, faults := load(t, `
input: {stream: FILE, ack_wait: 1m}
batch: {window: 200ms, size: 50}
accounts:
  - appid: wx1
    secret_env: S
    batch: {window: 5ms}
  - {appid: wx2, secret_env: S, rate: 2.5, quota: {limit: 1000, use_at_most: 80%}}
recent: {memory: 64MB}
`, "S=x", "WXENRICH_INPUT_STREAM=ENV", "WXENRICH_BATCH_WINDOW=300ms", "WXENRICH_ACCOUNTS_1_APPID=wx3",
		"WXENRICH_INPUT_SUBJECT=wx.a.{appid}.subscribe, wx.a.{appid}.scan", "WXENRICH_INPUT_FIELDS=openid=data.openId,type=kind")
	if faults != nil {
		t.Fatal(faults)
	}
	type row struct{ got, want any }
	for name, r := range map[string]row{
		"env over file":               {cfg.Input.Stream, "ENV"},
		"file over default":           {cfg.Input.AckWait.Std(), time.Minute},
		"default":                     {cfg.Outputs[0].Stream, "WX_PROFILES"},
		"account's own":               {cfg.Accounts[0].Batch.Window.Std(), 5 * time.Millisecond},
		"account inherits a sibling":  {cfg.Accounts[0].Batch.Size, 50},
		"account inherits env":        {cfg.Accounts[1].Batch.Window.Std(), 300 * time.Millisecond},
		"env over account's file":     {cfg.Accounts[1].AppID, "wx3"},
		"float":                       {cfg.Accounts[1].Rate, 2.5},
		"auto or number":              {cfg.Accounts[1].Quota.Limit, config.Auto(1000)},
		"auto":                        {cfg.Accounts[0].Quota.Limit, config.Auto(0)},
		"share":                       {cfg.Accounts[1].Quota.UseAtMost, config.Share(0.8)},
		"size":                        {cfg.Recent.Memory, config.Size(64e6)},
		"list by commas":              {cfg.Accounts[0].Resolve().Subjects, []string{"wx.a.wx1.subscribe", "wx.a.wx1.scan"}},
		"map by commas":               {cfg.Input.Fields, config.Map{"openid": "data.openId", "type": "kind"}},
		"durable":                     {cfg.Accounts[0].Resolve().Durable, "wxenrich-wx1"},
		"origin of env":               {cfg.Origin("input.stream").String(), "WXENRICH_INPUT_STREAM"},
		"origin of inherited":         {cfg.Origin("accounts[1].batch.window").String(), "WXENRICH_BATCH_WINDOW"},
		"origin of default":           {cfg.Origin("output.stream").String(), "default"},
		"origin of file is its line":  {strings.HasSuffix(cfg.Origin("accounts[0].batch.window").Where, "w.yaml:7"), true},
		"publish without embedded":    {cfg.Outputs[0].Publish, "async"},
		"account of anyone":           {cfg.Anyone("wx9").Batch.Size, 50},
		"account of anyone's default": {cfg.Anyone("wx9").API, "https://api.weixin.qq.com"},
	} {
		if d := cmp.Diff(r.want, r.got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func TestEnvironmentAlone(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Options{Accounts: true, Environ: []string{
		"WXENRICH_ACCOUNTS_0_APPID=wx0", "WXENRICH_ACCOUNTS_0_SECRET_ENV=WXENRICH_SECRET", "WXENRICH_SECRET=s",
		"WXENRICH_ACCOUNTS_1_APPID=wx1", "WXENRICH_ACCOUNTS_1_TOKEN_SOURCE=static_env", "WXENRICH_ACCOUNTS_1_TOKEN_ENV=TOK", "TOK=t",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"wx0", "wx1"}, cfg.AppIDs()); d != "" {
		t.Error(d)
	}
	if len(cfg.Warnings) > 0 {
		t.Error(cfg.Warnings)
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(config.Options{}); err != nil {
		t.Error(err)
	}
	_, err := config.Load(config.Options{Accounts: true})
	f, ok := errors.AsType[config.Fault](err)
	if !ok || f.Path != "accounts" {
		t.Errorf("got %v, want a fault of accounts", err)
	}
}

func TestAccountsDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml": "appid: wxb\nsecret_env: S\nbatch: {window: 7ms}\n", "a.yml": "appid: wxa\nsecret_env: S\nsecrte_file: x\n",
		".hidden.yaml": "nonsense", "README.txt": "nonsense",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(config.Options{Environ: []string{"S=x", "WXENRICH_ACCOUNTS_DIR=" + dir}})
	if d := cmp.Diff([]string{`a.yml:3: accounts[0]: unknown key "secrte_file": did you mean secret_file?`}, faultLines(err, dir)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"wxa", "wxb"}, cfg.AppIDs()); d != "" {
		t.Error(d)
	}
	if got := cfg.Accounts[1].Batch.Window.String(); got != "7ms" {
		t.Errorf("window of wxb is %s", got)
	}
}

func TestEmbeddedPublishesAtomically(t *testing.T) {
	t.Parallel()
	cfg, faults := load(t, "nats: {embedded: true, store_dir: d}\n")
	if faults != nil || cfg.Outputs[0].Publish != "atomic" {
		t.Errorf("publish %s, faults %v", cfg.Outputs[0].Publish, faults)
	}
	cfg, _ = load(t, "nats: {embedded: true, store_dir: d}\noutput: {publish: async}\n")
	if cfg.Outputs[0].Publish != "async" {
		t.Error("what is written does not win")
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("abc\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return map[string]string{"S": " def\n"}[name] }
	for _, c := range []struct {
		a    config.Account
		want string
		bad  bool
	}{
		{config.Account{SecretFile: path}, "abc", false},
		{config.Account{SecretEnv: "S"}, "def", false},
		{config.Account{SecretEnv: "MISSING"}, "", true},
		{config.Account{SecretFile: path + "x"}, "", true},
		{config.Account{}, "", true},
	} {
		got, err := c.a.Secret(getenv)
		if got.Reveal() != c.want || (err != nil) != c.bad {
			t.Errorf("%+v: %q, %v", c.a, got.Reveal(), err)
		}
	}
}
