//go:build linux

package faults

import (
	"syscall"
	"testing"
	"time"
)

// TestFreezes stops one of two replicas in the middle of its work, for longer
// than the server waits for an ack, and lets it go on where it was.
func TestFreezes(t *testing.T) {
	newWorld(t, 1, nil).freezes(1, size(8*time.Second, time.Minute))
}

// TestFreezesBeyondWindow is the same where the output has forgotten the ids by
// then: what was on its way into the connection must not leave any more.
func TestFreezesBeyondWindow(t *testing.T) {
	w := newWorld(t, 1, map[string]string{"OUTPUT_DUPLICATES": "2s", "DEAD_DUPLICATES": "2s"})
	w.freezes(size(3, 40), 8*time.Second)
}

func (w *world) freezes(times int, pause time.Duration) {
	load := w.produce(times*int((pause+4*time.Second)/time.Second)*perSecond, false)
	frozen, other := w.replica(""), w.replica("")
	for range times {
		time.Sleep(time.Duration(w.between(1000, 3000)) * time.Millisecond)
		frozen.signal(syscall.SIGSTOP)
		time.Sleep(pause)
		frozen.signal(syscall.SIGCONT)
	}
	w.drain(load)
	frozen.stop()
	other.stop()
	w.t.Logf("frozen %d times for %s", times, pause)
	w.holds(load)
}

// TestCuts stops the traffic between the service and the server, and then
// either lets it go on or ends the connections.
func TestCuts(t *testing.T) {
	w := newWorld(t, 1, short)
	load := w.produce(size(16_000, 500_000), false)
	run := w.replica("")
	w.until(load.done, act{3 * time.Second, func() {
		w.network.cut()
		time.Sleep(time.Duration(w.between(200, 7000)) * time.Millisecond)
		if w.rand.IntN(2) == 0 {
			w.network.sever()
		}
		w.network.mend()
	}})
	w.drain(load)
	run.stop()
	w.holds(load)
}
