//go:build linux

package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestReplayBesideLive replays a part of a stream that was there before the
// service, while live events come, and kills the replica that does it again and
// again. Live events wait as long as without it; each event of the part is
// answered once.
func TestReplayBesideLive(t *testing.T) {
	const livePace, bar = 1000, 1.3
	w := newWorld(t, 1, map[string]string{"INPUT_START": "new"})
	w.input()
	old := w.store(size(20_000, 1_000_000), false, 0)
	replicas := []*process{w.replica(""), w.replica("")}
	w.eventually("the service listens", func() bool {
		_, err := w.js.Consumer(t.Context(), "WX_EVENTS", durable)
		return err == nil
	})

	live := w.publish(1<<30, livePace, true, 0)
	time.Sleep(5 * time.Second) // until the lanes are used to it
	began := time.Now()
	time.Sleep(size(10*time.Second, time.Minute))
	part := uint64(size(4_000, 200_000))
	from := uint64(old.n)/2 + 1
	replayed := time.Now()
	args := []string{"replay", "--from-seq", fmt.Sprint(from), "--to-seq", fmt.Sprint(from + part - 1)}
	id := w.begins(append(args, size([]string{"--rate", "250"}, nil)...)...)
	w.reaches(id, behind(0.4))
	killed := time.Now()
	kills := size(1, 3)
	for i := range kills {
		w.comesTo(id, behind(0.4+0.2*float64(i)))
		at := w.worker(replicas)
		replicas[at].kill()
		replicas[at] = w.replica("")
	}
	last := w.reaches(id, nil)
	done := time.Now()
	live.end()
	w.drain(live)
	for _, r := range replicas {
		r.stop()
	}

	if report := asks[struct{ Holds bool }](w, "audit"); !report.Holds {
		t.Error("the law is broken")
	}
	for _, a := range w.answers(old) {
		if !a.stored.IsZero() {
			t.Fatalf("event %d is answered, and was there before the service", a.seq)
		}
	}
	again := 0
	for _, a := range w.generation(old, id) {
		if a.stored.IsZero() {
			continue
		}
		if again++; a.seq < from || a.seq >= from+part {
			t.Errorf("the replay has answered event %d, which is not of its range", a.seq)
		}
	}
	if p := last.Progress; again != int(part) || p.Done != int64(part) || p.Records+p.Dead != int64(part) || p.Uncounted() != 0 || last.TakenOver == 0 {
		t.Errorf("the replay has answered %d events, want %d; it says %+v", again, part, last.Progress)
	}

	all := w.answers(live)
	slices.SortFunc(all, func(a, b answer) int { return a.event.Compare(b.event) })
	alone, beside := between(all, began, replayed), between(all, replayed, killed)
	_, p99 := slowest(alone)
	_, p99Beside := slowest(beside)
	_, p99Kills := slowest(between(all, killed, done))
	ratio := float64(p99Beside) / float64(p99)
	t.Logf("%d events replayed in %s, killed %d times; live p99: %s without (%d events), %s beside it (%d events, %.2f times), %s while it is killed",
		again, done.Sub(replayed).Round(time.Second), kills, p99, len(alone), p99Beside, len(beside), ratio, p99Kills)
	if *long && ratio > bar {
		t.Errorf("live events wait %.2f times as long beside the replay, want %.1f at most", ratio, bar)
	}
}

// between are the answers to events that were stored in a time.
func between(all []answer, from, to time.Time) (out []answer) {
	for _, a := range all {
		if !a.event.Before(from) && a.event.Before(to) {
			out = append(out, a)
		}
	}
	return out
}
