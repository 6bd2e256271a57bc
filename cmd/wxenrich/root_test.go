package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args        []string
		code        int
		out, stderr string
	}{
		"nothing":          {nil, 0, "Available Commands", ""},
		"help":             {[]string{"--help"}, 0, "Exit codes: 0 fine", ""},
		"unknown command":  {[]string{"lokup"}, 2, "", "wxenrich: unknown command \"lokup\" for \"wxenrich\"\nhint: did you mean lookup?\n"},
		"unlike any":       {[]string{"xyzzy"}, 2, "", "hint: run \"wxenrich --help\" for the commands"},
		"unknown below":    {[]string{"config", "shwo"}, 2, "", "hint: did you mean show?"},
		"group alone":      {[]string{"config"}, 0, "check", ""},
		"unknown flag":     {[]string{"tail", "--jsno"}, 2, "", "wxenrich: unknown flag: --jsno\nhint: did you mean --json?\n"},
		"flag of nowhere":  {[]string{"version", "--xyzzyx"}, 2, "", "hint: run \"wxenrich version --help\" for the flags"},
		"bad flag value":   {[]string{"tail", "--limit", "many"}, 2, "", "--limit \"many\": want a number"},
		"needless word":    {[]string{"version", "now"}, 2, "", "hint: usage: wxenrich version"},
		"missing word":     {[]string{"lookup"}, 2, "", "requires at least 1 arg"},
		"log level":        {[]string{"tail", "--log-level", "loud"}, 2, "", "--log-level \"loud\": want debug"},
		"log format":       {[]string{"tail", "--log-format", "xml"}, 2, "", "--log-format \"xml\": want text or json"},
		"no config file":   {[]string{"tail", "-c", "/no/such.yaml"}, 2, "", "/no/such.yaml: no such file or directory\nhint: "},
		"since":            {[]string{"tail", "--since", "tomorrow"}, 2, "", "--since \"tomorrow\": want a duration"},
		"both encodings":   {[]string{"publish", "--json", "--msgpack", "x"}, 2, "", "want one of them"},
		"no account":       {[]string{"publish", "x"}, 2, "", "--appid is missing, and the configuration has no account"},
		"appid":            {[]string{"publish", "--appid", "a/b", "x"}, 2, "", "--appid \"a/b\": want 1 to 64"},
		"two sources":      {[]string{"publish", "--appid", "wx1", "-f", "y", "x"}, 2, "", "want one of them"},
		"no file":          {[]string{"publish", "--appid", "wx1", "-f", "/no/such"}, 2, "", "no such file"},
		"type in a text":   {[]string{"publish", "--appid", "wx1", "--type", "SCAN", "x"}, 2, "", "hint: add --json or --msgpack"},
		"no secret":        {[]string{"lookup", "--appid", "wx1", "x"}, 2, "", "no secret for account wx1\nhint: "},
		"no server":        {[]string{"tail", "-s", "nats://u:hush@127.0.0.1:1"}, 1, "", "wxenrich: no NATS server at nats://127.0.0.1:1\nhint: start one, or run \"wxenrich demo\""},
		"latency":          {[]string{"simulate", "--latency", "fast"}, 2, "", "--latency \"fast\": want one such as 60ms"},
		"latency's p99":    {[]string{"simulate", "--latency", "60ms/10ms"}, 2, "", "want a p99 above the median"},
		"fault":            {[]string{"simulate", "--fault", "colour=red"}, 2, "", "unknown field \"colour\""},
		"fault of nothing": {[]string{"simulate", "--fault", "nth=3"}, 2, "", "does nothing"},
		"address":          {[]string{"simulate", "--listen", "nowhere"}, 2, "", "--listen: "},
		"simulated appid":  {[]string{"simulate", "--appid", "a b"}, 2, "", "--appid \"a b\": want 1 to 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := wxenrich(t, nil, "", c.args...)
			r.want(t, c.code, c.out, c.stderr)
			if strings.Contains(r.err, "hush") {
				t.Error("a password is shown")
			}
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		code int
		text string
	}{
		"fine":        {t.Context(), nil, 0, ""},
		"other":       {t.Context(), errors.New("x"), 1, "wxenrich: x\n"},
		"lines":       {t.Context(), usage("a\nb").hint("h"), 2, "wxenrich: a\nwxenrich: b\nhint: h\n"},
		"wrapped":     {t.Context(), errors.Join(nothing("none")), 3, "wxenrich: none\n"},
		"interrupted": {interrupted, usage("%w", context.Canceled), 130, "wxenrich: interrupted\n"},
		"narrow":      {t.Context(), usage("one two three four\n  five six").hint("nats stream edit WX_EVENTS --max-age 720h"), 2, "wxenrich: one two three\n          four\nwxenrich:\n    five six\nhint: nats stream edit WX_EVENTS --max-age 720h\n"},
		"too late":    {interrupted, errors.New("x"), 1, "wxenrich: x\n"},
	} {
		var b bytes.Buffer
		if code := report(c.ctx, c.err, term.Screen{Writer: &b, TTY: name == "narrow", Width: 26}); code != c.code || b.String() != c.text {
			t.Errorf("%s: %d %q, want %d %q", name, code, b.String(), c.code, c.text)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	wxenrich(t, nil, "", "version").want(t, 0, "wxenrich ", "")
	var v version
	if err := json.Unmarshal([]byte(wxenrich(t, nil, "", "version", "--json").out), &v); err != nil || v.Go == "" || v.Version == "" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		wxenrich(t, nil, "", "completion", shell).want(t, 0, "wxenrich", "")
	}
	environ := []string{"WXENRICH_ACCOUNTS_0_APPID=wxone", "WXENRICH_ACCOUNTS_1_APPID=wxtwo"}
	for args, want := range map[string]string{
		"":                          "publish",
		"config ":                   "check",
		"tail --appid ":             "wxone\nwxtwo\n",
		"config init --format ":     "msgpack\njson\n",
		"tail --log-level ":         "debug\n",
		"lookup --lang ":            "zh_CN\n",
		"replay --type SCAN,sub":    "SCAN,subscribe\nSCAN,unsubscribe\n",
		"publish --type subscribe ": ":", // a directive and no error
		"replay --since ":           ":4\n",
		"publish --file ":           ":0\n",
		"dead redrive --rate ":      ":4\n",
	} {
		words := append([]string{cobra.ShellCompRequestCmd}, strings.Split(args, " ")...)
		wxenrich(t, environ, "", words...).want(t, 0, want, "")
	}
}

// Every command says what it does, and every flag what it is for.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	each(newRoot(&app{}), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short description %q", c.CommandPath(), c.Short)
		}
		if c.Example == "" && !c.HasSubCommands() && !c.Hidden {
			t.Errorf("%s has no example", c.CommandPath())
		}
	})
}

// each visits the commands that are ours.
func each(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			each(sub, f)
		}
	}
}
