//go:build linux

package faults

import (
	"bytes"
	"testing"
	"time"
)

// TestPoison has an event in the stream whose handling ends the process, each
// time: by a panic, which can be caught for long enough to write it down, and
// by a signal, which cannot. The service is started again whenever it is gone,
// as any supervisor does.
func TestPoison(t *testing.T) {
	for _, how := range []struct {
		name   string
		deaths int // until it is found out
	}{
		{"panic", 3},
		{"kill", 5}, // of the first two nothing is known but that it was delivered again
	} {
		t.Run(how.name, func(t *testing.T) {
			w := newWorld(t, 1, nil)
			load := w.produce(4000, false)
			w.poison = w.somebody(load)
			w.environ = append(w.environ, "FAULT_POISON="+w.poison+":"+how.name)
			deaths := 0
			deadline := time.Now().Add(patience)
			run := w.replica("")
			for w.left(load) != "" {
				if time.Now().After(deadline) {
					t.Fatalf("after %d deaths: %s", deaths, w.left(load))
				}
				if !run.ends(200 * time.Millisecond) {
					continue
				}
				deaths++
				if how.name == "panic" && !bytes.Contains(run.printed(), []byte("pipeline.poison(")) {
					t.Error("there is no stack in the log")
				}
				run = w.replica("")
			}
			run.stop()
			t.Logf("the process died %d times", deaths)
			if deaths != how.deaths {
				t.Errorf("the process died %d times, want %d", deaths, how.deaths)
			}
			w.holds(load)
		})
	}
}
