package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// fixedReport has an account of every kind.
func fixedReport() *status.Report {
	at := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.FixedZone("CST", 8*60*60))
	n := func(n int64) *int64 { return &n }
	u := func(n uint64) *uint64 { return &n }
	f := func(x float64) *float64 { return &x }
	letters := map[events.Reason]uint64{}
	return &status.Report{At: at, Notes: []string{"there is no stream WX_OTHER"}, Accounts: []status.Account{
		{AppID: "wx0123456789abcde1", Phase: status.Running,
			Durable: &status.Durable{Lag: 1_234_567, InHand: 2_400, Oldest: at.Add(-50 * time.Hour), OldestAge: f(180_000), Expires: at.Add(22 * time.Hour), Rate: f(1_234.5), Redelivered: 12, AckFloor: 7_654_321},
			Mark:    &status.Mark{May: 8_888_888}, Records: u(7_600_000), DeadLetters: map[events.Reason]uint64{"undecodable": 7, "rejected": 1_200},
			Jobs:  []status.Job{{ID: "replay-261123-k7x2p", State: "running", Done: 4_500, Total: 10_000, Note: "its share of the day's quota is spent"}},
			Quota: &status.Quota{Fill: f(97.25), Limit: 1000, Used: 750, Left: n(250), Unit: "openid", Reset: midnight, Expected: n(1500), RunsOut: midnight.Add(-8 * time.Hour)}},
		{AppID: "wx0123456789abcde2", Phase: status.Held, Hint: "get the permission", Durable: &status.Durable{Lag: 20, OldestAge: f(61)}, DeadLetters: letters,
			Holds: []status.Hold{{Reason: "operator", Code: 48001, RID: "5f1e-01", Detail: "api unauthorized\x1b[2J", By: "host-abc",
				Hint: "get the permission 用户管理 for this account in the console (设置与开发), or ask whoever owns it", Since: at.Add(-time.Hour), NextTry: at.Add(10 * time.Minute)}},
			Quota: &status.Quota{Limit: 500, Used: 520, Left: n(0), Unit: "call", Reset: midnight, Expected: n(1040), RunsOut: at.Add(-20 * time.Minute)}},
		{AppID: "wx0123456789abcde3", Phase: status.Idle, Durable: &status.Durable{Pulls: 1, Rate: f(0.5)}, DeadLetters: letters, Records: u(0), Erasures: &status.Erasures{Waiting: 3, Due: at.Add(2 * time.Hour)},
			Holds: []status.Hold{{Reason: "address", Code: 40164, By: "host-def", Hint: "whitelist the address", Since: at.Add(-time.Hour), Replica: true}},
			Quota: &status.Quota{Used: 12, Unit: "unknown", Reset: midnight, Expected: n(24)}},
		{AppID: "wx0123456789abcde4", Phase: status.Unattended, Hint: "start it", Durable: &status.Durable{Lag: 1, OldestAge: f(0.2)},
			Quota: &status.Quota{Limit: 5_000_000, Used: 75, Left: n(4_999_925), Unit: "openid", Reset: midnight, Expected: n(150)}},
		{AppID: "wx0123456789abcde5", Phase: status.NoDurable, Hint: "run makes it", Notes: []string{"records are not counted"}},
	}}
}

func TestStatusTables(t *testing.T) {
	t.Parallel()
	for name, screen := range map[string]term.Screen{
		"status_pipe.txt": {Width: term.DefaultWidth},
		"status_50.txt":   {TTY: true, Width: 50},
		"status_80.txt":   {TTY: true, Width: 80},
		"status_200.txt":  {TTY: true, Width: 200},
	} {
		lines := statusLines(screen, fixedReport())
		for _, line := range lines {
			if screen.TTY && (screen.Fit(line) != line || strings.HasSuffix(line, "…")) {
				t.Errorf("%s: does not fit: %s", name, line)
			}
			if strings.ContainsRune(line, '\x1b') {
				t.Errorf("%s: text from outside reaches the terminal: %q", name, line)
			}
		}
		goldenText(t, name, strings.Join(lines, "\n")+"\n")
	}
	goldenText(t, "status_watch.txt", strings.Join(plainLines(fixedReport()), "\n")+"\n")
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "", "status")
	r.want(t, 0, "no stream", "")
	r.want(t, 0, "note: there is no stream WX_DEAD", "")
	r.want(t, 0, "note: there is no bucket WX_STATE", "")
	w.streams(t)
	w.run(t, "", "status").want(t, 0, "no durable", "")
	w.run(t, "", "status", "--appid", "wxstranger").want(t, exitNotFound, "", "account wxstranger is not configured")
	w.run(t, "", "status", "--appid", "a b").want(t, exitUsage, "", "want 1 to 64")
	w.run(t, "", "status", "--every", "1ms").want(t, exitUsage, "", "--every 1ms")
	w.environ = append(w.environ, "WXENRICH_STATE_BUCKET=")
	w.run(t, "", "status").want(t, 0, "note: state.bucket is empty", "")
	wxenrich(t, []string{"NATS_URL=" + w.nats.URL()}, "", "status").want(t, exitNotFound, "", "the configuration has no account")
	w.run(t, "", "status", "--server", "nats://127.0.0.1:1").want(t, exitFailed, "", "no NATS server")
}

// status asks until an account is in a phase.
func (w *world) status(t *testing.T, want status.Phase) status.Account {
	t.Helper()
	var r status.Report
	for deadline := time.Now().Add(everything); ; time.Sleep(10 * time.Millisecond) {
		printed := w.run(t, "", "status", "--json")
		printed.want(t, 0, "", "")
		r = status.Report{}
		if err := json.Unmarshal([]byte(printed.out), &r); err != nil {
			t.Fatal(err)
		}
		if a := r.Accounts[0]; a.Phase == want {
			return a
		} else if time.Now().After(deadline) {
			t.Fatalf("%s, want %s", printed.out, want)
		}
	}
}

func TestStatusOfLanes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	run := []*background{w.background(t, "run"), w.background(t, "run")}
	for _, b := range run {
		b.out.waitFor("lane is running")
	}
	w.status(t, status.Idle)
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	w.settle(t, 2)
	a := w.status(t, status.Idle)
	if *a.Records != 2 || a.Durable.Delivered != 2 || a.Mark == nil || a.Mark.May < 2 || a.DeadLetters == nil || a.Hint != "" {
		t.Errorf("%+v", a)
	}
	w.run(t, "", "hold", "--why", "moving house").want(t, 0, "", "")
	for _, b := range run {
		b.out.waitFor("moving house")
	}
	for w.status(t, status.Held).Durable.Pulls > 0 { // what was asked for before may still come
	}
	w.run(t, "", "publish", w.account.OpenID(2)).want(t, 0, "", "")
	a = w.status(t, status.Held)
	if a.Durable.Lag != 1 || a.Durable.OldestAge == nil || a.Holds[0].Detail != "moving house" || !strings.Contains(a.Hint, "wxenrich resume") {
		t.Errorf("%+v", a)
	}
	w.run(t, "", "status").want(t, 0, "do: \"wxenrich resume\" ends it", "")
	w.run(t, "", "resume").want(t, 0, "", "")
	w.settle(t, 3)
	w.status(t, status.Idle)
	for _, b := range run {
		b.end()
	}
	w.run(t, "", "publish", w.account.OpenID(3)).want(t, 0, "", "")
	if a = w.status(t, status.Unattended); a.Durable.Lag != 1 || a.Hint == "" {
		t.Errorf("%+v", a)
	}
}

// TestStatusKeys holds the JSON's names still: scripts know them.
func TestStatusKeys(t *testing.T) {
	t.Parallel()
	r := fixedReport()
	full := r.Accounts[0]
	full.Holds, full.Hint, full.Notes = r.Accounts[1].Holds, "hint", []string{"note"}
	full.Durable.Active, full.Mark.At, full.Holds[0].Probes = r.At, r.At, 1
	r.Accounts = []status.Account{full}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllSubmatch(raw, -1) {
		keys = append(keys, string(m[1]))
	}
	want := strings.Fields(`at accounts appid phase hint holds reason errcode rid detail hint since next_try probes by replica
		durable stream name lag in_hand redelivered pulls ack_floor delivered active oldest oldest_age expires rate mark floor may at
		records dead_letters rejected undecodable quota limit used left unit reset expected runs_out fill jobs id kind state done total note notes notes`)
	if d := cmp.Diff(want, keys); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestStatusWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	run := w.background(t, "run")
	run.out.waitFor("lane is running")
	watch := w.background(t, "status", "--watch", "--every", "100ms")
	watch.out.waitFor("  " + testAppID + "  idle  lag 0")
	watch.out.waitFor("per s 0")
	run.end()
	watch.out.waitFor("unattended")
	if code := watch.end(); code != 0 {
		t.Errorf("exit code %d\n%s", code, watch.out.waitFor(""))
	}
}

func TestStatusRedraw(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	v := statusView{}
	r := fixedReport()
	draw := func(height int) string {
		t.Helper()
		b.Reset()
		if err := v.redraw(term.Screen{Writer: &b, TTY: true, Width: 80, Height: height}, r); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if out := draw(50); !strings.HasPrefix(out, "\x1b[2J\x1b[Haccount ") || !strings.HasSuffix(out, "WX_OTHER\x1b[K\n\x1b[J") {
		t.Errorf("%q", out)
	}
	all := len(statusLines(term.Screen{TTY: true, Width: 80}, r))
	out := draw(5)
	if !strings.HasPrefix(out, "\x1b[Haccount ") || strings.Count(out, "\n") != 4 || !strings.Contains(out, fmt.Sprintf("… %d lines more", all-3)) {
		t.Errorf("%d lines on 5: %q", all, out)
	}
}

func TestStatusThatIsOld(t *testing.T) {
	t.Parallel()
	r := outdated(outdated(*fixedReport(), errors.New("first")), errors.New("second"))
	want := []string{"there is no stream WX_OTHER", "this is of 2026-11-23T04:00:00Z; since then: second"}
	if d := cmp.Diff(want, r.Notes); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestAllSayTheSameOfAHold looks at one hold from everywhere: an operator may
// come by any of these ways.
func TestAllSayTheSameOfAHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	listen := freePort(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN="+listen, "WXENRICH_LOG_FORMAT=json")
	run := w.background(t, "run")
	run.out.waitFor("lane is running")
	w.account.SetSecret("another")
	w.account.KillTokens()
	w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
	run.out.waitFor("lane is on hold")
	type hold struct {
		Reason  string
		Errcode int
		RID     string
		Hint    string
		NextTry time.Time `json:"next_try"`
	}
	of := w.status(t, status.Held).Holds[0]
	want := hold{of.Reason, of.Code, of.RID, of.Hint, of.NextTry}
	if want.Reason != "operator" || want.Errcode == 0 || want.RID == "" || want.Hint == "" || want.NextTry.IsZero() {
		t.Errorf("status: %+v", of)
	}

	var logged []hold
	for line := range strings.Lines(run.out.waitFor("")) {
		var l struct{ Hold *hold }
		if json.Unmarshal([]byte(line), &l) == nil && l.Hold != nil {
			logged = append(logged, *l.Hold)
		}
	}
	if d := cmp.Diff([]hold{want}, logged); d != "" {
		t.Errorf("the log, once: -status +log\n%s", d)
	}

	code, body := get(t, "http://"+listen+"/readyz")
	var ready struct{ Accounts []hold }
	if err := json.Unmarshal([]byte(body), &ready); err != nil || code != http.StatusServiceUnavailable {
		t.Fatalf("/readyz: %d %v", code, err)
	}
	if d := cmp.Diff([]hold{want}, ready.Accounts); d != "" {
		t.Errorf("/readyz: -status +readyz\n%s", d)
	}

	_, metrics := get(t, "http://"+listen+"/metrics")
	lines := slices.Collect(strings.Lines(metrics))
	for _, m := range []struct {
		name, labels string
		value        float64
	}{
		{"wxenrich_lane_held", fmt.Sprintf(`appid="%s",errcode="%d"`, testAppID, want.Errcode), 1},
		{"wxenrich_lane_held", `reason="operator"`, 1},
		{"wxenrich_lane_next_try_timestamp_seconds", testAppID, float64(want.NextTry.UnixMilli()) / 1000},
	} {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, m.name+"{") && strings.Contains(l, m.labels) })
		var value float64
		if i >= 0 {
			_, number, _ := strings.Cut(lines[i], "} ")
			_, _ = fmt.Sscan(number, &value)
		}
		if value != m.value {
			t.Errorf("/metrics: %s{%s} is %v, want %v", m.name, m.labels, value, m.value)
		}
	}
	w.run(t, "", "status").want(t, 0, fmt.Sprintf("operator (errcode %d)", want.Errcode), "")
	w.run(t, "", "status").want(t, 0, "do: "+want.Hint, "")

	w.run(t, "", "hold").want(t, 0, "", "")
	run.out.waitFor("manual")
	if _, body = get(t, "http://"+listen+"/readyz"); strings.Contains(body, "next_try") {
		t.Errorf("nobody will try, but /readyz has a time: %s", body)
	}
	run.end()
	if strings.Contains(run.out.waitFor(""), "0001-01-01") {
		t.Error("the log has a time that is none")
	}
}
