//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
)

const deploy = "../../deploy/"

var metricName = regexp.MustCompile(`wxenrich_[a-z_]+`)

// A panel or a rule that names a metric which does not exist shows nothing, and
// nobody notices.
func TestDeployNamesMetrics(t *testing.T) {
	t.Parallel()
	page := metricName.FindAllString(read(t, deploy+"docs/metrics.md"), -1)
	for _, path := range []string{"prometheus/rules.yaml", "grafana/wxenrich.json", "RUNBOOK.md"} {
		named := families(strings.Join(metricName.FindAllString(read(t, deploy+path), -1), "\n"))
		if len(named) == 0 {
			t.Errorf("%s names no metric", path)
		}
		for _, name := range named {
			if !slices.Contains(page, name) {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
		if path != "grafana/wxenrich.json" {
			continue
		}
		for _, name := range page {
			if !slices.Contains(named, name) {
				t.Errorf("the dashboard does not show %s", name)
			}
		}
	}
}

// promtool is Prometheus's own judge of rules.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("promtool is not installed (Debian: apt-get install prometheus)")
	}
	return path
}

func TestAlertRules(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		c := exec.CommandContext(t.Context(), tool, args...)
		c.Dir = deploy + "prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

var alertName = regexp.MustCompile(`(?m)- alert: (\w+)`)

// Whoever is woken up finds the alert, and the hold, in the runbook.
func TestRunbookNamesAll(t *testing.T) {
	t.Parallel()
	book, rules, rulesTest := read(t, deploy+"RUNBOOK.md"), read(t, deploy+"prometheus/rules.yaml"), read(t, deploy+"prometheus/rules_test.yaml")
	alerts := alertName.FindAllStringSubmatch(rules, -1)
	for _, m := range alerts {
		alert := m[1]
		if !strings.Contains(book, "\n### "+alert+"\n") {
			t.Errorf("the runbook has no entry for %s", alert)
		}
		if !strings.Contains(rules, "runbook: RUNBOOK.md#"+strings.ToLower(alert)+"\n") {
			t.Errorf("%s does not lead to its entry", alert)
		}
		if !strings.Contains(rulesTest, "alertname: "+alert+"\n        exp_alerts:") {
			t.Errorf("no test makes %s fire", alert)
		}
	}
	if n := strings.Count(book, "\n### Wxenrich"); n != len(alerts) {
		t.Errorf("the runbook has %d alerts, the rules %d", n, len(alerts))
	}
	for _, reason := range []string{pipeline.HoldOperator, pipeline.HoldAddress, pipeline.HoldDailyQuota, pipeline.HoldWrongAccount,
		pipeline.HoldBug, pipeline.HoldUnknown, pipeline.HoldStolenToken, pipeline.HoldManual} {
		if !strings.Contains(book, "\n| `"+reason+"` |") {
			t.Errorf("the runbook has no entry for the hold %s", reason)
		}
	}
}

func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	api, openid := account(t)
	url := eventstest.NewServer(t).URL()
	listen := freePort(t)
	r := newReader(t, []string{"APPSECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_API=" + api,
		"NATS_URL=" + url, "WXENRICH_HTTP_LISTEN=" + listen}, "127.0.0.1:9464", listen)
	book, err := filepath.Abs(deploy + "RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	r.path = book
	for _, b := range blocks(t, book) {
		if b.lang == "sh" && !strings.HasPrefix(b.note, "run: ") {
			t.Errorf("a block that nobody runs:\n%s", b.text)
		}
	}
	write(t, filepath.Join(r.dir, "wx-secret"), testSecret)
	r.script("wxenrich config init --appid " + testAppID + " >/dev/null; wxenrich config check >/dev/null")
	r.start("wxenrich run", "lane is running")
	r.script("wxenrich publish " + openid)
	out := r.play("look")
	for _, text := range []string{testAppID, `"phase":"running"`, `"ready":true`, ", 0 failed\n", "the law holds"} {
		if !strings.Contains(out, text) {
			t.Errorf("nothing printed %q:\n%s", text, out)
		}
	}
}
