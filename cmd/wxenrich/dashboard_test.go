//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// board is what the test needs to know of a Grafana dashboard.
type board struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

// TestDashboardAnswers has Prometheus scrape a running demo, and asks it all
// that the dashboard asks.
func TestDashboardAnswers(t *testing.T) {
	t.Parallel()
	promtool(t) // the same package
	var b board
	if err := json.Unmarshal([]byte(read(t, deploy+"grafana/wxenrich.json")), &b); err != nil {
		t.Fatal(err)
	}
	scraped, listen := freePort(t), freePort(t)
	r := newReader(t, nil)
	r.start("wxenrich demo --plain --rate 50 --http "+scraped+" --listen "+freePort(t), "1.0s  events")
	startPrometheus(t, listen, scraped)

	ask := func(expr string) (string, []any) {
		t.Helper()
		resp, err := http.Get("http://" + listen + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return err.Error(), nil
		}
		defer resp.Body.Close()
		var answer struct {
			Error string
			Data  struct{ Result []any }
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return err.Error(), nil
		}
		return answer.Error, answer.Data.Result
	}
	// Two scrapes of a lane that has answered something make a rate.
	deadline := time.Now().Add(patience)
	for _, found := ask("rate(wxenrich_records_total[1m]) > 0"); len(found) == 0; _, found = ask("rate(wxenrich_records_total[1m]) > 0") {
		if time.Now().After(deadline) {
			t.Fatal("Prometheus has scraped nothing")
		}
		time.Sleep(200 * time.Millisecond) // another process works meanwhile
	}
	// A demo is never on hold, waits for nothing, compares nothing and reads no file.
	silent := map[string]bool{"Holds": true, "Accounts without a token": true, "Next try of a hold": true, "Oldest event without an answer": true, "Until events expire": true,
		"Configuration faults": true, "Retries and rate limit": true, "Quota left today": true, "Quota by midnight": true,
		"Pushes": true, "Pushes refused": true, "Push to answer": true, "Spool": true, "Spool: size, damaged": true, "Spool: oldest, drained": true} // and has no gateway
	asked := 0
	for _, p := range b.Panels {
		any := false
		for _, target := range p.Targets {
			asked++
			failed, found := ask(strings.NewReplacer("$appid", ".*", "$__rate_interval", "1m").Replace(target.Expr))
			if failed != "" {
				t.Errorf("%s: %s\n%s", p.Title, failed, target.Expr)
			}
			any = any || len(found) > 0
		}
		if len(p.Targets) > 0 && !any && !silent[p.Title] {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
	if asked < 20 {
		t.Errorf("the dashboard asks %d questions", asked)
	}
}

// startPrometheus scrapes addr every second until the test ends.
func startPrometheus(t *testing.T, listen, addr string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	rules, err := filepath.Abs(deploy + "prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: wxenrich
    static_configs: [{targets: [%q]}]
`, rules, addr))
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
		if t.Failed() {
			t.Log(read(t, out.Name()))
		}
		_ = out.Close()
	})
}
