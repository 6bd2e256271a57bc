//go:build !race

package main

import (
	"encoding/json"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
)

// TestMemoryIsBounded has a backlog that is larger than all the memory that the
// formula gives, or many accounts. The race detector's memory is not in the formula.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"large events":  {"--events", "5000", "--meta", "16384", "--concurrency", "2", "--batch-size", "20"},
		"many accounts": {"--events", "5000", "--accounts", "3", "--idle", "150", "--concurrency", "2"},
	} {
		t.Run(name, func(t *testing.T) { memoryIsBounded(t, args) })
	}
}

func memoryIsBounded(t *testing.T, args []string) {
	r := wxenrich(t, []string{"BE=wxenrich"}, "", append([]string{"bench", "--runs", "1", "--relay=false", "--control=false", "--latency", "0s", "--json"}, args...)...)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.err)
	}
	var got bench.Comparison
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	peak := got.Medians.Service.Memory
	if peak == 0 {
		t.Skip("this system does not say how much memory a process has had")
	}
	if most := float64(bench.MostMemory(&got.Case, 16<<20)) / (1 << 20); peak > most {
		t.Errorf("%.0f MiB at the peak, want %.0f at most", peak, most)
	}
	t.Logf("%.0f MiB", peak)
}
