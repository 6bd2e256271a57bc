package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
)

// TestBench measures next to nothing, but with everything in its place: all
// processes, both programs, and the law that each event has one answer.
func TestBench(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		want func(*bench.Figures) bool
	}{
		{"backlog", []string{"--events", "1000", "--accounts", "2", "--control"},
			func(f *bench.Figures) bool { return f.Calls >= 10 && f.Calls < 20 && f.Fill > 50 }},
		{"open loop", []string{"--rate", "500", "--for", "1s", "--malformed", "0.1", "--streams", "--durables-in-memory"},
			func(f *bench.Figures) bool { return f.Calls > 0 && f.P50 > 0 && f.P50 <= f.P99 && f.P99 <= f.Max }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"bench", "--runs", "1", "--control=false", "--latency", "1ms", "--json"}, tc.args...)
			// Of somebody's own deployment nothing may be touched.
			environ := []string{"BE=wxenrich", "GORACE=atexit_sleep_ms=0", "NATS_URL=nats://127.0.0.1:1", "WXENRICH_BATCH_SIZE=1", "WXENRICH_ACCOUNTS_0_APPID=wx1234567890abcdef"}
			r := wxenrich(t, environ, "", args...)
			if r.code != 0 {
				t.Fatalf("exit code %d\n%s", r.code, r.err)
			}
			var got bench.Comparison
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatal(err)
			}
			f := &got.Medians.Service
			if f.PerSecond <= 0 || f.CPU <= 0 || f.Allocs <= 0 || !tc.want(f) {
				t.Errorf("%+v", f)
			}
			if relay := got.Medians.Relay; relay.PerSecond <= 0 || relay.CPU <= 0 || relay.Calls != 0 {
				t.Errorf("relay: %+v", relay)
			}
			if want := f.PerSecond / got.Medians.Relay.PerSecond; got.Ratio["events_per_second"] != want {
				t.Errorf("ratio %v, want %g", got.Ratio, want)
			}
			switch noise, measured := got.Noise["events_per_second"]; {
			case measured != slices.Contains(tc.args, "--control"):
				t.Errorf("noise %v", got.Noise)
			case measured && noise != got.Medians.Control.PerSecond/f.PerSecond:
				t.Errorf("noise %g, of %+v", noise, got.Medians)
			}
		})
	}
}

// TestBenchTable has no column for what was not measured.
func TestBenchTable(t *testing.T) {
	t.Parallel()
	r := bench.Comparison{
		Case: bench.Drain(), Relay: make([]bench.Figures, 3), Service: make([]bench.Figures, 3), Control: make([]bench.Figures, 3),
		Least: bench.Figures{PerSecond: 5000, Calls: 10}, Most: bench.Figures{PerSecond: 7000, Calls: 10},
		Ratio: bench.Quotients{"events_per_second": 0.5}, Noise: bench.Quotients{"events_per_second": 0.98},
	}
	r.Medians.Relay.PerSecond, r.Medians.Service.PerSecond, r.Medians.Service.Calls = 12_000, 6000, 10
	for name, tc := range map[string]struct {
		relay, control bool
		want           []string // lines, but for spaces
	}{
		"all":        {true, true, []string{"relay service ratio from–to noise", "events/s 12000 6000 0.50 5000–7000 0.98", "calls per 1,000 10.00 10.00–10.00"}},
		"no relay":   {false, true, []string{"service from–to noise", "events/s 6000 5000–7000 0.98"}},
		"no control": {true, false, []string{"relay service ratio from–to", "events/s 12000 6000 0.50 5000–7000"}},
		"neither":    {false, false, []string{"service from–to", "events/s 6000 5000–7000"}},
	} {
		r := r
		if !tc.relay {
			r.Relay = nil
		}
		if !tc.control {
			r.Control = nil
		}
		var out bytes.Buffer
		a := &app{streams: streams{out: &out}}
		if err := a.printComparison(&r); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		for _, want := range tc.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{
		"--runs 0": "--runs 0", "--rate 0.5 --for 1s": "at least two", "--rate NaN": "--rate", "--events 1": "at least two",
		"--refused 2": "--refused", "--malformed NaN": "--malformed", "--refused 0.6 --malformed 0.6": "--refused",
		"--meta -5": "--meta", "--meta 300000": "--meta", "--concurrency 0": "--concurrency", "--batch-size 101": "--batch-size",
		"--window 0": "--window", "--kill-token -1s": "--kill-token", "--pace foo": "--pace", "--latency x": "--latency",
		"--fault nonsense": "--fault", "--cpuprofile /nonexistent/x": "profile",
	} {
		r := wxenrich(t, nil, "", append([]string{"bench"}, strings.Fields(flags)...)...)
		r.want(t, exitUsage, "", want)
	}
	wxenrich(t, nil, "", "bench", "scale", "--dir", "/nonexistent").want(t, exitUsage, "", "--dir")
	wxenrich(t, nil, "", "bench", "bars", "--help").want(t, 0, "2,000/s, adaptive", "")
	wxenrich(t, nil, "", "bench", "--help").want(t, 0, "alloc_bytes_per_event", "")
}

// TestBenchNoticesAnEnd has the service refuse what bench itself does not look into:
// that is said at once, and not when nothing was answered for minutes.
func TestBenchNoticesAnEnd(t *testing.T) {
	t.Parallel()
	r := wxenrich(t, []string{"BE=wxenrich", "GORACE=atexit_sleep_ms=0"}, "", "bench", "--runs", "1", "--control=false", "--relay=false",
		"--events", "2", "--window", "24h")
	r.want(t, 1, "", "has ended")
}

// TestBenchTracing measures nothing, but that each way of tracing is one.
func TestBenchTracing(t *testing.T) {
	t.Parallel()
	r := wxenrich(t, []string{"BE=wxenrich", "GORACE=atexit_sleep_ms=0"}, "", "bench", "tracing", "--rounds", "1", "--events", "500", "--json")
	var got []bench.Overhead
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("exit code %d: %v\n%s", r.code, err, r.err)
	}
	sends := 0
	for i, o := range got {
		if o.Ratio <= 0 || o.From > o.Ratio || o.Ratio > o.To {
			t.Errorf("%+v", o)
		}
		if o.Bytes > 0 {
			sends++
		}
		if i < 2 && o.Bytes > 0 {
			t.Errorf("something was sent: %+v", o)
		}
	}
	if len(got) != 4 || sends == 0 {
		t.Errorf("%+v", got)
	}
}
