//go:build linux

package faults

import (
	"syscall"
	"testing"
	"time"
)

// TestRollingRestart replaces three replicas one after the other, as a
// deployment does. What one has in hand is with the others at once: AckWait is
// longer here than anybody waits.
func TestRollingRestart(t *testing.T) {
	const ackWait = 2 * time.Minute
	w := newWorld(t, 1, map[string]string{"INPUT_ACK_WAIT": ackWait.String()})
	replicas := []*process{w.replica(""), w.replica(""), w.replica("")}
	load := w.produce(size(20_000, 500_000), true)
	w.until(load.done, act{size(time.Second, 5*time.Second), func() {
		old := replicas[0]
		old.stop()
		replicas = append(replicas[1:], w.replica(""))
	}})
	w.drain(load)
	for _, r := range replicas {
		r.stop()
	}
	all := w.holds(load)
	w.once()
	most, p99 := slowest(all)
	t.Logf("longest gap in the output %s, slowest answer after %s, 99%% after %s",
		longestGap(all).Round(time.Millisecond), most.Round(time.Millisecond), p99.Round(time.Millisecond))
	if most >= ackWait {
		t.Errorf("an event waited for %s: it was not handed over", most)
	}
}

// TestReplicaDies ends one of three replicas without a word. Nobody else has
// what it had in hand before AckWait is over, and everybody soon after.
func TestReplicaDies(t *testing.T) {
	const ackWait = 10 * time.Second
	w := newWorld(t, 1, map[string]string{"INPUT_ACK_WAIT": ackWait.String()})
	dying, second, third := w.replica(""), w.replica(""), w.replica("")
	load := w.produce(size(20_000, 100_000), true)
	time.Sleep(size(3*time.Second, 20*time.Second))
	dying.signal(syscall.SIGKILL)
	w.drain(load)
	second.stop()
	third.stop()
	most, p99 := slowest(w.holds(load))
	t.Logf("slowest answer after %s, 99%% after %s, with an ack wait of %s", most.Round(time.Millisecond), p99.Round(time.Millisecond), ackWait)
	if most > 2*ackWait {
		t.Errorf("an event waited for %s", most)
	}
}

// TestNoDoubleWork has three replicas share a load while nothing goes wrong.
func TestNoDoubleWork(t *testing.T) {
	w := newWorld(t, 1, nil)
	replicas := []*process{w.replica(""), w.replica(""), w.replica("")}
	load := w.produce(size(10_000, 500_000), true)
	w.drain(load)
	for _, r := range replicas {
		r.stop()
	}
	w.holds(load)
	w.once()
}
