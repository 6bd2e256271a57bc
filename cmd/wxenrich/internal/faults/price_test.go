//go:build linux

package faults

import (
	"fmt"
	"testing"
)

// TestReplayPrice compares what --dry-run says with what the replay then takes,
// of events of which some are about the same people as others.
func TestReplayPrice(t *testing.T) {
	const bar = 0.05
	w := newWorld(t, 1, nil)
	run := w.replica("")
	w.exists("WX_EVENTS")
	half := size(5_000, 100_000)
	w.store(half, true, half/20) // all in memory
	w.drain(w.store(half, true, 0))
	for _, part := range [][2]int{{1, half}, {1, 2 * half}, {half + half/3, 2*half - half/4}} {
		args := []string{"replay", "--from-seq", fmt.Sprint(part[0]), "--to-seq", fmt.Sprint(part[1])}
		price := asks[struct{ Messages, Calls int }](w, append(args, "--dry-run")...)
		before := w.calls()
		done := w.reaches(w.begins(args...), nil)
		calls := w.calls() - before
		t.Logf("sequences %d to %d, %d messages: %d calls, the dry run said %d", part[0], part[1], price.Messages, calls, price.Calls)
		off := max(calls-price.Calls, price.Calls-calls)
		if price.Messages != part[1]-part[0]+1 || done.Progress.Records != int64(price.Messages) || off > max(1, int(bar*float64(calls))) {
			t.Errorf("the price is %d calls off: %+v; %d calls, %+v", off, price, calls, done.Progress)
		}
	}
	run.stop()
}

// calls is how many calls for data WeChat has had.
func (w *world) calls() int {
	n := w.account.Stats().Calls
	return n["user/info"] + n["user/info/batchget"]
}
