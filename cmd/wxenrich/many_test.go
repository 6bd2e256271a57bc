package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// accounts is how many TestManyAccounts has. With 1,000 it also holds the
// service to what so many may cost:
//
//	go test ./cmd/wxenrich -run TestManyAccounts -accounts 1000 -v
var accounts = flag.Int("accounts", 25, "accounts of TestManyAccounts; from 1000 on their cost is weighed too")

// label is one label of a line of /metrics.
var label = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)

// What comes in, however hostile, makes no label of a metric, and most accounts
// of many do nothing at nearly no cost.
func TestManyAccounts(t *testing.T) {
	t.Parallel()
	n := *accounts - 1 // and one comes later: by default nats-server 2.15 allows a stream 1,000 consumers
	const busy = 10
	people := make([]*wechattest.Account, n)
	appid := func(i int) string { return fmt.Sprintf("wx%016x", i) }
	f := newFolder(t, t.TempDir(), func(f *folder) {
		for i := range n {
			people[i] = f.another(appid(i))
			f.write(appid(i)+".yaml", f.file(appid(i), ""))
		}
	})
	lanes := regexp.MustCompile(`(?m)^wxenrich_lane_ready\{.*\} 1$`)
	f.until("all lanes are ready", func() bool {
		_, body := get(t, "http://"+f.listen+"/metrics")
		return len(lanes.FindAllString(body, -1)) == n
	})
	if *accounts >= 1000 {
		f.weighIdle(t)
		f.weighLatency(t, people, appid)
	}

	sent := 0
	send := func(subject string, header nats.Header, body string) {
		t.Helper()
		if _, err := f.js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: header, Data: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	for i := range busy {
		subject := "wx.events." + appid(i) + ".subscribe"
		for k := range 10 {
			openid := people[i].OpenID(k)
			evil := fmt.Sprintf("evil-%d-%d", i, k)
			send(subject, nil, openid)
			send(subject, nil, evil)
			send(subject, nil, fmt.Sprintf(`{"openid":%q,"appid":%q}`, openid, evil))
			send(subject, nil, fmt.Sprintf(`{"openid":%q,"type":%q,"lang":%q,"id":%q}`, openid, evil, evil, evil))
			send(subject, nats.Header{"Content-Type": {evil}, events.HeaderMsgID: {evil}, events.HeaderTraceParent: {evil}}, "\x81\xa6"+evil)
		}
		// An errcode that nobody has heard of.
		f.sim.Inject(wechattest.Fault{Match: wechattest.Match{AppID: appid(i)}, Times: 1, Do: wechattest.Action{Code: 7_000_000 + i, Message: "evil"}})
		send(subject, nil, people[i].UnknownOpenID(1))
	}
	f.until("everything is answered", func() bool {
		stored := 0
		for _, name := range []string{"WX_PROFILES", "WX_DEAD"} {
			s, err := f.js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			stored += int(s.CachedInfo().State.Msgs)
		}
		return stored >= sent
	})

	_, body := get(t, "http://"+f.listen+"/metrics")
	values := make(map[string]map[string]bool) // by label
	series := 0
	if strings.Contains(body, "otel_metric_overflow") {
		t.Error("there are more accounts than series")
	}
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "wxenrich_") {
			continue
		}
		series++
		if strings.Contains(line, "evil") || strings.Contains(line, `errcode="70000`) {
			t.Errorf("what came in is in a metric: %s", line)
		}
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			if values[m[1]] == nil {
				values[m[1]] = make(map[string]bool)
			}
			values[m[1]][m[2]] = true
		}
	}
	for name, have := range values {
		most := 40
		if name == "appid" {
			most = n + 1
		}
		if len(have) > most {
			t.Errorf("label %s has %d values: %q …", name, len(have), slices.Sorted(maps.Keys(have))[:most])
		}
	}
	t.Logf("%d accounts, %d series; labels %v", n, series, slices.Sorted(maps.Keys(values)))
	if most := n*60 + busy*250; series > most {
		t.Errorf("%d series, want %d at most", series, most)
	}
	if code := f.run.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// weighIdle measures what a service costs whose accounts do nothing, and that is
// scraped every 15 s.
func (f *folder) weighIdle(t *testing.T) {
	pid := f.run.cmd.Process.Pid
	time.Sleep(10 * time.Second) // the start is over
	const during = 30 * time.Second
	before := cpuOf(t, pid)
	for range 2 { // as Prometheus does
		time.Sleep(during / 2)
		get(t, "http://"+f.listen+"/metrics")
	}
	share := (cpuOf(t, pid) - before).Seconds() / during.Seconds()
	resident := residentOf(t, pid)
	t.Logf("idle: %.2f %% of a core, %d MB resident", 100*share, resident>>20)
	if share > .03 {
		t.Errorf("idle accounts take %.1f %% of a core", 100*share)
	}
	if resident > 200<<20 {
		t.Errorf("%d MB resident", resident>>20)
	}
}

// weighLatency measures how long single events of accounts take that have been
// idle, and how long an account takes that is added.
func (f *folder) weighLatency(t *testing.T, people []*wechattest.Account, appid func(int) string) {
	const call = 60 * time.Millisecond
	latency := wechattest.Constant(call)
	f.sim.Inject(wechattest.Fault{Do: wechattest.Action{Latency: &latency}})
	var waited []time.Duration
	ask := func(p *wechattest.Account, appid string) time.Duration {
		f.answers(p, appid)
		s, err := f.js.Stream(t.Context(), "WX_PROFILES")
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetLastMsgForSubject(t.Context(), "wx.profiles."+appid)
		if err != nil {
			t.Fatal(err)
		}
		src, _, _, err := events.ParseMsgID(m.Header[events.HeaderMsgID][0])
		if err != nil {
			t.Fatal(err)
		}
		return m.Time.Sub(src.Time)
	}
	for i := 0; i < len(people); i += len(people) / 50 {
		ask(people[i], appid(i)) // its first call is for a token
		waited = append(waited, ask(people[i], appid(i)))
	}
	slices.Sort(waited)
	t.Logf("from event to record: median %v, worst %v of %d", waited[len(waited)/2], waited[len(waited)-1], len(waited))
	if bar := 100*time.Millisecond + call + 50*time.Millisecond; waited[len(waited)*9/10] > bar {
		t.Errorf("one in ten takes more than %v: %v", bar, waited)
	}
	late := f.another("wx00000000000late")
	began := time.Now()
	f.write("late.yaml", f.file("wx00000000000late", ""))
	f.run.up(t, `msg="lane is running" appid=wx00000000000late`)
	took := time.Since(began)
	ask(late, "wx00000000000late")
	t.Logf("an account that is added runs after %v", took)
	if took > 2*time.Second {
		t.Errorf("an account that is added runs after %v", took)
	}
	if err := os.Remove(f.dir + "/late.yaml"); err != nil {
		t.Fatal(err)
	}
	f.run.up(t, "removed=[wx00000000000late]")
}

// cpuOf is the CPU time of a process.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // USER_HZ
}

// residentOf is the resident memory of a process in bytes.
func residentOf(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in %s", status)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
