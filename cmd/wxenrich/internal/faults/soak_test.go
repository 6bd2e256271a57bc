//go:build linux

package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSoak has nothing go wrong for a long time. What the service needs must
// not grow, and nothing may be left behind.
func TestSoak(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	w := newWorld(t, 1, nil)
	w.listen()
	run := w.replica("")
	load := w.produce(*soak*60*perSecond, false)
	var all []sample
	w.until(load.done, act{15 * time.Second, func() {
		s := w.sample()
		all = append(all, s)
		t.Logf("%s: %.1f MiB, %.0f goroutines, lag %d", time.Duration(len(all)*15)*time.Second, s.memory/(1<<20), s.goroutines, s.lag)
	}})
	w.drain(load)
	run.stop()
	most, p99 := slowest(w.holds(load))
	t.Logf("slowest answer after %s, 99%% after %s", most.Round(time.Millisecond), p99.Round(time.Millisecond))
	third := len(all) / 3
	if third == 0 {
		t.Fatal("too short to see anything")
	}
	middle, last := mean(all[third:2*third]), mean(all[2*third:])
	t.Logf("in the middle third %.1f MiB, %.1f goroutines; in the last %.1f MiB, %.1f goroutines",
		middle.memory/(1<<20), middle.goroutines, last.memory/(1<<20), last.goroutines)
	if last.memory > 1.25*middle.memory || last.goroutines > 1.25*middle.goroutines {
		t.Error("the service grows")
	}
	if final := all[len(all)-1]; final.lag > 10*perSecond {
		t.Errorf("at the end %d events wait", final.lag)
	}
}

// sample is what the service needs at one moment.
type sample struct {
	memory, goroutines float64
	lag                uint64
}

func (w *world) sample() (s sample) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.settings["HTTP_LISTEN"] + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "process_resident_memory_bytes":
			s.memory, err = strconv.ParseFloat(value, 64)
		case "go_goroutines":
			s.goroutines, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			w.t.Fatal(fmt.Errorf("metric %s: %w", name, err))
		}
	}
	if c, err := w.js.Consumer(w.t.Context(), "WX_EVENTS", durable); err == nil {
		info := c.CachedInfo()
		s.lag = info.NumPending + uint64(info.NumAckPending)
	}
	if s.memory == 0 || s.goroutines == 0 {
		w.t.Fatal("the service does not say what it needs")
	}
	return s
}

func mean(all []sample) (m sample) {
	for _, s := range all {
		m.memory += s.memory / float64(len(all))
		m.goroutines += s.goroutines / float64(len(all))
	}
	return m
}
