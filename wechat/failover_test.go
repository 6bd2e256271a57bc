package wechat

import (
	"testing"
	"time"
)

// TestFailover runs calls one after the other: at a second, on the host they
// must be given, with this end.
func TestFailover(t *testing.T) {
	t.Parallel()
	type step struct {
		at    int // seconds since the start
		host  int
		probe bool
		end   verdict
		moved bool
	}
	for name, c := range map[string]struct {
		hosts int
		steps []step
	}{
		"alone":           {1, []step{{0, 0, false, failed, false}, {1, 0, false, failed, false}, {2, 0, false, answered, false}}},
		"all is well":     {2, []step{{0, 0, false, answered, false}, {1, 0, false, answered, false}}},
		"undecided stays": {2, []step{{0, 0, false, undecided, false}, {1, 0, false, answered, false}}},
		"next, and back": {2, []step{
			{0, 0, false, failed, false},
			{1, 1, false, answered, true},
			{29, 1, false, answered, false},
			{30, 0, true, answered, true},
			{31, 0, false, answered, false},
		}},
		"pauses grow": {2, []step{
			{0, 0, false, failed, false},
			{1, 1, false, answered, true},
			{30, 0, true, failed, false},
			{89, 1, false, answered, false},
			{90, 0, true, failed, false},
			{209, 1, false, answered, false},
			{210, 0, true, failed, false},
			{449, 1, false, answered, false},
			{450, 0, true, failed, false},
			{749, 1, false, answered, false}, // five minutes from here on
			{750, 0, true, failed, false},
			{1049, 1, false, answered, false},
			{1050, 0, true, answered, true},
		}},
		"a probe that was given up does not make the pause longer": {2, []step{
			{0, 0, false, failed, false},
			{30, 0, true, undecided, false},
			{59, 1, false, answered, true},
			{60, 0, true, answered, true},
		}},
		"a relapse makes it longer": {2, []step{
			{0, 0, false, failed, false},
			{1, 1, false, answered, true},
			{30, 0, true, answered, true},
			{40, 0, false, failed, false},
			{41, 1, false, answered, true},
			{99, 1, false, answered, false},
			{100, 0, true, answered, true},
			{500, 0, false, failed, false}, // much later: a new fault
			{529, 1, false, answered, true},
			{530, 0, true, answered, true},
		}},
		"round and round, with nothing to tell": {3, []step{
			{0, 0, false, failed, false},
			{1, 1, false, failed, false},
			{2, 2, false, failed, false},
			{3, 0, false, failed, false},
			{4, 1, false, failed, false},
			{5, 2, false, failed, false},
			{6, 0, false, answered, false},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := failover{n: c.hosts}
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for _, s := range c.steps {
				now := start.Add(time.Duration(s.at) * time.Second)
				choice := f.choose(now)
				if choice.host != s.host || choice.probe != s.probe {
					t.Fatalf("at %d s: host %d, probe %v, want host %d, probe %v", s.at, choice.host, choice.probe, s.host, s.probe)
				}
				if _, moved := f.ended(choice, s.end, now); moved != s.moved {
					t.Fatalf("at %d s: moved %v, want %v", s.at, moved, s.moved)
				}
			}
		})
	}
}

// TestFailoverOfCallsInFlight has many calls under way at once.
func TestFailoverOfCallsInFlight(t *testing.T) {
	t.Parallel()
	f := failover{n: 3}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a, b, late := f.choose(now), f.choose(now), f.choose(now)
	f.ended(a, failed, now)
	f.ended(b, failed, now)
	if c := f.choose(now); c.host != 1 {
		t.Fatalf("host %d after two calls failed together, want 1", c.host)
	}
	now = now.Add(firstPause)
	probe, other := f.choose(now), f.choose(now)
	if !probe.probe || probe.host != 0 || other.probe || other.host != 1 {
		t.Fatalf("%+v and %+v, want one probe at a time", probe, other)
	}
	if _, moved := f.ended(probe, answered, now); moved {
		t.Error("moved, though the first host was the last one that answered")
	}
	if f.ended(late, failed, now); f.host != 0 {
		t.Error("a fault from before the first host answered again made calls leave it")
	}
	if _, moved := f.ended(other, answered, now); moved {
		t.Error("an answer that comes late was taken for news")
	}

	// All others fail while the first is being tried.
	f.ended(f.choose(now), failed, now)
	now = now.Add(2 * firstPause)
	probe = f.choose(now)
	f.ended(f.choose(now), failed, now)
	f.ended(f.choose(now), failed, now)
	f.ended(probe, failed, now)
	if c := f.choose(now); c.host != 0 || c.probe {
		t.Errorf("%+v, want the first host by turn", c)
	}
}
