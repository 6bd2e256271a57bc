package quota_test

import (
	"math"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// What replicas tell each other of how long calls take is of the latest ones, and
// outlives the day.
func TestTypicalCall(t *testing.T) {
	t.Parallel()
	var stored quota.Shared
	tell := func(l *quota.Ledger, now time.Time, n int, took time.Duration) {
		t.Helper()
		for range n {
			l.Took(took)
		}
		next, d := l.Offer(now, stored, false)
		l.Flushed(now, d, next)
		stored = next
	}
	typical := func(what string, l *quota.Ledger, low, high time.Duration) {
		t.Helper()
		if got, _ := l.Typical(); got < low || got > high {
			t.Errorf("%s: %v, want %v to %v", what, got, low, high)
		}
	}
	const ms = time.Millisecond
	a, b, viewer := quota.New(quota.Config{}), quota.New(quota.Config{}), quota.New(quota.Config{})
	typical("nobody has called", a, 0, 0)
	a.Took(50 * ms)
	typical("one call that is not told", a, 49*ms, 51*ms)
	tell(a, noon, 1, 200*ms)
	typical("50 and 200 ms", a, 99*ms, 101*ms)
	if _, spread := a.Typical(); math.Abs(spread-math.Ln2) > 1e-9 {
		t.Errorf("each twice as far as the middle: a spread of %g", spread)
	}
	a.Apply(noon, stored)
	typical("as it is told", a, 99*ms, 101*ms)
	tell(b, noon, 998, 100*ms)
	tell(b, noon, 1, time.Hour)
	viewer.Apply(noon.Add(48*time.Hour), stored)
	typical("two days later, one call hung", viewer, 100*ms, 110*ms)
	tell(b, noon, 1000, time.Millisecond)
	viewer.Apply(noon, stored)
	typical("calls have become fast", viewer, ms, 3*ms)
	if got := viewer.Storing(); got != 0 {
		t.Errorf("nothing was stored, which took %v", got)
	}
	b.Stored(4 * ms)
	b.Stored(9 * ms)
	tell(b, noon, 10_000, 0)
	viewer.Apply(noon, stored)
	typical("they take no time", viewer, 1, ms)
	if got := viewer.Storing(); got < 5*ms || got > 7*ms {
		t.Errorf("4 and 9 ms to store: %v", got)
	}
}
