package pipeline

import (
	"strconv"
	"testing"
	"time"
)

func TestRefusedOnesAreForgotten(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	var r refusedOnes
	if r.get(t0, "a") != nil {
		t.Error("an empty memory knows somebody")
	}
	why := &cause{code: 40003}
	r.add(t0, "a", why)
	for _, tc := range []struct {
		after time.Duration
		known bool
	}{{0, true}, {refusedFor/2 - 1, true}, {refusedFor / 2, true}, {refusedFor - 1, true}, {refusedFor + refusedFor/2, false}} {
		if got := r.get(at(tc.after), "a"); (got == why) != tc.known {
			t.Errorf("after %v: known %v, want %v", tc.after, got != nil, tc.known)
		}
	}
}

func TestRefusedOnesAreBounded(t *testing.T) {
	t.Parallel()
	var r refusedOnes
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 5 * refusedMax {
		r.add(now, strconv.Itoa(i), &cause{})
	}
	if n := len(r.now) + len(r.before); n > 2*refusedMax {
		t.Errorf("%d openids are remembered, want %d at most", n, 2*refusedMax)
	}
	if r.get(now, strconv.Itoa(5*refusedMax-1)) == nil {
		t.Error("the latest is not remembered")
	}
}
