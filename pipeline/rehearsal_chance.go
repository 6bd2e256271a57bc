package pipeline

import (
	"math"
	"time"
)

// latency is how long a call takes.
func (r *Rehearsal) latency() time.Duration {
	if r.rng == nil {
		return r.call
	}
	return time.Duration(float64(r.call) * math.Exp(r.spread*r.rng.NormFloat64()))
}

// lag is how long an event takes to its place in a batch: its durable's mark may have
// to be raised first, and no timer is exact.
func (r *Rehearsal) lag() time.Duration {
	if r.rng == nil {
		return 0
	}
	return time.Duration(r.rng.ExpFloat64() * float64(r.lags))
}

// late is how late a call is for the turn that it waits for: chance decides which
// of several is first.
func (r *Rehearsal) late() time.Duration {
	if r.rng == nil {
		return 0
	}
	return time.Duration(r.rng.Int64N(int64(time.Millisecond)))
}
