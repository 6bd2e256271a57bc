package water_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/pipeline/internal/water"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	stream = noon.Add(-24 * time.Hour)
)

func TestSinceIsNeverTooLate(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	type event struct {
		seq uint64
		at  time.Time
	}
	var m water.Mark
	var taken []event
	now, seq := noon, uint64(0)
	for range 20_000 {
		now = now.Add(time.Duration(r.ExpFloat64() * float64(20*time.Second)))
		seq += r.Uint64N(500)
		if seq > m.May {
			m = m.Raise(now, stream, 0, water.Reserve(seq, m.May, time.Second))
		}
		taken = append(taken, event{seq, now})
	}
	if n := len(m.Steps); n > 40 {
		t.Errorf("%d steps after %v", n, now.Sub(noon))
	}
	found := 0
	for _, e := range taken {
		at, ok := m.Since(e.seq)
		if ok && at.After(e.at) {
			t.Fatalf("event %d was taken at %v, and is said not to have been until %v", e.seq, e.at, at)
		}
		if age := now.Sub(e.at); ok && now.Sub(at) > 5*age+time.Hour {
			t.Errorf("event %d of %v ago is looked for %v back", e.seq, age, now.Sub(at))
		}
		if ok {
			found++
		}
	}
	if found < len(taken)*9/10 {
		t.Errorf("%d of %d events are known to be younger than something", found, len(taken))
	}
}

func TestRaise(t *testing.T) {
	t.Parallel()
	var m water.Mark
	if _, ok := m.Since(5); ok {
		t.Error("a mark that knows nothing says something")
	}
	m = m.Raise(noon, stream, 0, 1000)
	m = m.Raise(noon.Add(time.Minute), stream, 400, 2000)
	m = m.Raise(noon.Add(2*time.Minute), stream, 300, 1500) // of a replica that has not heard
	if m.Floor != 400 || m.May != 2000 {
		t.Errorf("floor %d, may %d: a mark never falls", m.Floor, m.May)
	}
	if at, ok := m.Since(1000); ok {
		t.Errorf("nobody had taken event 1000 before %v: who says so?", at)
	}
	for seq, want := range map[uint64]time.Time{1001: noon.Add(time.Minute), 2001: noon.Add(2 * time.Minute)} {
		if got, _ := m.Since(seq); !got.Equal(want) {
			t.Errorf("since %d: %v, want %v", seq, got, want)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back water.Mark
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, back); d != "" {
		t.Errorf("through JSON: -want +got\n%s", d)
	}
	if n := m.Raise(noon, stream.Add(time.Hour), 0, 10); n.May != 10 || n.Floor != 0 || len(n.Steps) != 0 {
		t.Errorf("on another stream: %+v", n)
	}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		seq, last uint64
		since     time.Duration
		least     uint64
		most      uint64
	}{
		{1, 0, 0, 1001, 1001},
		{50_000, 0, time.Second, 150_000, 150_000},               // 50,000 a second: two seconds ahead
		{60_000, 0, time.Minute, 120_000, 120_000},               // 1,000 a second, looked at once a minute
		{100_000_000, 0, 0, 101_000_000, 101_000_000},            // never more than a million
		{5, 1_000, time.Second, 1_005, 1_005},                    // a redelivery
		{1_000, 1_000, time.Hour, 2_000, 2_000},                  //
		{2_000_000, 1_999_000, time.Hour, 2_001_000, 2e6 + 1000}, //
	} {
		if got := water.Reserve(tc.seq, tc.last, tc.since); got < tc.least || got > tc.most {
			t.Errorf("Reserve(%d, %d, %v) = %d, want %d to %d", tc.seq, tc.last, tc.since, got, tc.least, tc.most)
		}
	}
}
