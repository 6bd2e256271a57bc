//go:build linux

package faults

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// window is a duplicate window that is soon over. With one that is much shorter
// still, nearly every event of a backlog is looked for among the answers.
const window = 5 * time.Second

var short = map[string]string{"OUTPUT_DUPLICATES": window.String(), "DEAD_DUPLICATES": window.String()}

// TestPoints ends the service where an end hurts most, and lets it come back
// only when the output stream has forgotten the ids of what it was doing.
func TestPoints(t *testing.T) {
	w := newWorld(t, 1, short)
	load := w.produce(size(10_000, 200_000), false)
	for round := range size(1, 20) {
		for _, point := range []string{"looked-up", "splitting"} {
			w.dies(fmt.Sprintf("%s:%d", point, w.between(1, 8)), nil)
		}
		for _, point := range []string{"published", "half-published", "half-acked"} {
			w.dies(fmt.Sprintf("%s:%d", point, w.between(1, 8)), nil)
			w.forget()
		}
		w.dies("stopping:1", func(p *process) { p.signal(syscall.SIGTERM) })
		w.forget()
		w.diesFetchingToken()
		t.Logf("round %d is over", round+1)
	}
	run := w.replica("")
	w.drain(load)
	run.stop()
	w.holds(load)
}

// dies runs a replica until it comes to the point where it ends. What has to be
// done to it for that is provoke.
func (w *world) dies(at string, provoke func(*process)) {
	w.t.Helper()
	run := w.replica(at)
	if provoke != nil {
		time.Sleep(500 * time.Millisecond)
		provoke(run)
	}
	if !run.ends(patience) || !run.killed() {
		w.t.Fatalf("the service did not come to %s", at)
	}
}

// forget waits until the duplicate window is over, and so the ack wait.
func (w *world) forget() { time.Sleep(window + time.Second) }

// diesFetchingToken runs a replica whose tokens are rejected, and ends it while
// it fetches another.
func (w *world) diesFetchingToken() {
	w.t.Helper()
	run := w.replica("")
	time.Sleep(500 * time.Millisecond)
	var fetched atomic.Bool
	kill := func() {
		if fetched.CompareAndSwap(false, true) {
			run.kill()
		}
	}
	w.login.Store(&kill)
	defer w.login.Store(nil)
	w.account.KillTokens()
	if !run.ends(patience) || !fetched.Load() {
		w.t.Fatal("the service did not fetch another token")
	}
}
