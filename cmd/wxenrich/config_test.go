package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.yaml")
	write(t, path, "batch: {size: 0}\nmanage: never\n")
	r := wxenrich(t, nil, "", "config", "check", "-c", path)
	r.want(t, 2, "", "w.yaml:1: batch.size: 0 is too small")
	r.want(t, 2, "", "w.yaml:2: manage: \"never\" is none of")
	r = wxenrich(t, nil, "", "config", "check", "-c", path, "--json")
	var got struct {
		OK     bool
		Faults []config.Fault
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.OK || len(got.Faults) != 2 || r.code != 2 {
		t.Errorf("%+v: %v", r, err)
	}
	write(t, path, "accounts: [{appid: wx1, secret_env: NONE}]\n")
	wxenrich(t, nil, "", "config", "check", "-c", path).want(t, 0, "fine: 1 accounts, 1 warnings", "warning: "+path+":1: accounts[0].secret_env: the variable NONE is not set")
	wxenrich(t, nil, "", "config", "check", "-c", path, "--json").want(t, 0, `{"ok":true,"faults":[],"warnings":[{"key":"accounts[0].secret_env"`, "")
	wxenrich(t, nil, "", "config", "check").want(t, 2, "", "accounts: there is none")
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	environ := []string{"WXENRICH_BATCH_WINDOW=7ms"}
	wxenrich(t, environ, "", "config", "show").want(t, 0, "  window: 7ms                                    # WXENRICH_BATCH_WINDOW\n", "")
	var settings []config.Setting
	if err := json.Unmarshal([]byte(wxenrich(t, environ, "", "config", "show", "--json").out), &settings); err != nil || len(settings) < 40 {
		t.Errorf("%d settings, %v", len(settings), err)
	}
}

func TestConfigInit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.yaml")
	args := []string{"config", "init", "--appid", "wx1", "--secret-file", "s", "--format", "json", "--embedded", "-o", path}
	wxenrich(t, nil, "", args...).want(t, 0, "wrote "+path+"\nnext: put the AppSecret into s", "")
	wxenrich(t, nil, "", "config", "check", "-c", path).want(t, 0, "fine: 1 accounts", "secret_file: s: no such file")
	wxenrich(t, nil, "", args...).want(t, 2, "", "exists already\nhint: --force replaces it")
	wxenrich(t, nil, "", append(args, "--force")...).want(t, 0, "wrote", "")
	wxenrich(t, nil, "", "config", "init", "--appid", "wx1", "-o", "-").want(t, 0, "format: msgpack\n", "")
	for text, bad := range map[string][]string{
		"--appid is missing":     {},
		"--appid \"a b\"":        {"--appid", "a b"},
		"--format \"xml\"":       {"--appid", "wx1", "--format", "xml"},
		"hold the secret itself": {"--appid", "wx1", "--secret-file", "0123456789abcdef0123456789abcdef"},
	} {
		wxenrich(t, nil, "", append([]string{"config", "init", "-o", "-"}, bad...)...).want(t, 2, "", text)
	}
}

func TestConfigInitAsks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.yaml")
	ask := func(answers string) result {
		var out, errs strings.Builder
		code := execute(t.Context(), []string{"config", "init", "--secret-file", "s", "-o", path}, streams{in: strings.NewReader(answers), out: &out, err: &errs, inTTY: true})
		return result{code, out.String(), errs.String()}
	}
	ask("wx1\n").want(t, 1, "", "no answer")
	r := ask("wx1\njson\n\nnats://nats.example:4222\n")
	r.want(t, 0, "wrote", "AppID of the account []: Records as msgpack or json [msgpack]: JetStream server inside the process, yes or no [no]: NATS server [nats://127.0.0.1:4222]: ")
	if again := ask(""); again.code != 2 || strings.Contains(again.err, "AppID") {
		t.Errorf("asks although the file is there: %+v", again)
	}
	cfg, err := config.Load(config.Options{Path: path})
	if err != nil || cfg.Outputs[0].Format != "json" || cfg.NATS.URL != "nats://nats.example:4222" || cfg.Accounts[0].AppID != "wx1" {
		t.Errorf("%+v, %v", cfg, err)
	}
}
