//go:build !race

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// setting is what the memory of a process depends on.
type setting struct {
	accounts, busy                  int
	batchSize, concurrency, outputs int
	event                           int // bytes
}

// memoryFormula is that of the READMEs.
const memoryFormula = `
44 MiB + 0.1 MiB × accounts + 1.5 × (recent.memory + Σ lane)

lane = 2 MiB + 32 KiB × concurrency
     + n × (1.5 KiB + 2 × event + row)
     + min(n, 1200) × outputs × (1 KiB + event + row)
n    = batch.size × (concurrency + 2)
`

// most is what it says, in bytes, with the default recent.memory.
func (s *setting) most() float64 {
	const KiB, MiB, row = 1 << 10, 1 << 20, 512
	n := s.batchSize * (s.concurrency + 2)
	lane := 2*MiB + 32*KiB*s.concurrency + n*(3*KiB/2+2*s.event+row) + min(n, 1200)*s.outputs*(KiB+s.event+row)
	return 44*MiB + 0.1*MiB*float64(s.accounts) + 1.5*float64(16*MiB+s.busy*lane)
}

func TestMemoryFormula(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		if text, err := os.ReadFile("../../" + name); err != nil || !strings.Contains(string(text), memoryFormula) {
			t.Errorf("%s has another formula: %v", name, err)
		}
	}
}

// TestMemoryIsBounded has backlogs that would take more memory than the formula
// gives if all of them were in hand, or many accounts. The race detector's memory
// is not in the formula.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args string
		setting
	}{
		"large events":  {"--events 2500 --latency 100ms --meta 16384", setting{accounts: 1, busy: 1, batchSize: 20, concurrency: 2, event: 16500}},
		"many accounts": {"--events 5000 --latency 0s --accounts 3 --idle 150", setting{accounts: 153, busy: 3, batchSize: 100, concurrency: 2, event: 100}},
		"many calls":    {"--events 30000 --latency 1s --meta 1000", setting{accounts: 1, busy: 1, batchSize: 100, concurrency: 96, event: 1100}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := fmt.Sprintf("bench --runs 1 --relay=false --control=false --json --concurrency %d --batch-size %d %s", tc.concurrency, tc.batchSize, tc.args)
			r := wxenrich(t, []string{"BE=wxenrich"}, "", strings.Fields(args)...)
			if r.code != 0 {
				t.Fatalf("exit code %d\n%s", r.code, r.err)
			}
			var got bench.Comparison
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatal(err)
			}
			tc.outputs = 1
			tc.bounds(t, got.Medians.Service.Memory)
		})
	}
}

// TestMemoryOfSeveralOutputs has three, many calls and large records.
func TestMemoryOfSeveralOutputs(t *testing.T) {
	t.Parallel()
	s := setting{accounts: 1, busy: 1, batchSize: 10, concurrency: 96, outputs: 3, event: 16500}
	const n, appid = 6000, "wxmany"
	w := newWorld(t)
	people := w.sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: testSecret, Followers: n})
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all", "WXENRICH_ACCOUNTS_0_APPID="+appid,
		fmt.Sprint("WXENRICH_BATCH_SIZE=", s.batchSize), fmt.Sprint("WXENRICH_ACCOUNTS_0_CONCURRENCY=", s.concurrency),
		"WXENRICH_OUTPUT_1_STREAM=WX_B", "WXENRICH_OUTPUT_1_SUBJECT=wx.b.{appid}", "WXENRICH_OUTPUT_1_FORMAT=json",
		"WXENRICH_OUTPUT_2_STREAM=WX_C", "WXENRICH_OUTPUT_2_SUBJECT=wx.c.{appid}", "WXENRICH_OUTPUT_2_FORMAT=json")
	latency := wechattest.Uniform(500*time.Millisecond, 600*time.Millisecond)
	w.sim.Inject(wechattest.Fault{Do: wechattest.Action{Latency: &latency}})
	js := w.streams(t)
	for name, subject := range map[string]string{"WX_B": "wx.b.>", "WX_C": "wx.c.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	meta := bytes.Repeat([]byte("m"), 16<<10)
	for i := range n {
		body := fmt.Appendf(nil, `{"openid":%q,"meta":%q}`, people.OpenID(i), meta)
		if _, err := js.PublishAsync("wx.events."+appid+".subscribe", body, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	p := w.process(t, "run")
	p.up(t, "lane is running")
	for _, name := range []string{"WX_PROFILES", "WX_B", "WX_C"} {
		waitFor(t, js, name, n)
	}
	peak := bench.PeakMemory(p.cmd.Process.Pid)
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.out)
	}
	s.bounds(t, float64(peak)/(1<<20))
}

// bounds fails the test if a process has had more memory, in MiB.
func (s *setting) bounds(t *testing.T, peak float64) {
	t.Helper()
	if peak == 0 {
		t.Skip("this system does not say how much memory a process has had")
	}
	most := s.most() / (1 << 20)
	if peak > most {
		t.Errorf("%.0f MiB at the peak, want %.0f at most", peak, most)
	}
	t.Logf("%.0f MiB of %.0f", peak, most)
}
