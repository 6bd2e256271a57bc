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
	w := newWorld(t, 1, nil)
	load, _ := w.freezes()
	w.holds(load)
}

// TestFreezesBeyondWindow is the same where the output has forgotten the ids by
// then. What is on its way into the connection as the process stands still
// leaves when it goes on, and nobody can call it back: that may be some batches.
func TestFreezesBeyondWindow(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	w := newWorld(t, 1, short)
	load, times := w.freezes()
	w.holdsBut(load, times*100)
}

func (w *world) freezes() (load *load, times uint64) {
	load = w.produce(size(20_000, 500_000), false)
	frozen, other := w.replica(""), w.replica("")
	times = size[uint64](1, 20)
	for range times {
		time.Sleep(time.Duration(w.between(1000, 3000)) * time.Millisecond)
		frozen.signal(syscall.SIGSTOP)
		time.Sleep(size(8*time.Second, time.Minute))
		frozen.signal(syscall.SIGCONT)
	}
	w.drain(load)
	frozen.stop()
	other.stop()
	return load, times
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
