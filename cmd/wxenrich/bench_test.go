package main

import (
	"encoding/json"
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
		{"backlog", []string{"--events", "1000", "--accounts", "2"},
			func(f *bench.Figures) bool { return f.Calls >= 10 && f.Calls < 20 && f.Fill > 50 }},
		{"open loop", []string{"--rate", "500", "--for", "1s", "--malformed", "0.1", "--streams"},
			func(f *bench.Figures) bool { return f.Calls > 0 && f.P50 > 0 && f.P50 <= f.P99 && f.P99 <= f.Max }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"bench", "--runs", "1", "--control=false", "--latency", "1ms", "--json"}, tc.args...)
			if tc.name != "backlog" {
				args = append(args, "--relay=false")
			}
			r := wxenrich(t, []string{"BE=wxenrich", "GORACE=atexit_sleep_ms=0"}, "", args...)
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
			if relay := got.Medians.Relay; tc.name == "backlog" && (relay.PerSecond <= 0 || relay.CPU <= 0 || relay.Calls != 0) {
				t.Errorf("relay: %+v", relay)
			}
		})
	}
}
