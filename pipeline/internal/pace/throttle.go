package pace

import (
	"math"
	"time"
)

// What a throttle does with what it learns.
const (
	// slowest is as far as refusals alone bring the rate down, in calls a
	// second. Who is refused even then waits for the next minute.
	slowest = 1.0
	// start is the rate after a hold: the account may not be well yet.
	start = 2.0
	// recovery is how long the rate takes from a half to the whole of what was
	// too much. WeChat counts by the minute, so it must be minutes.
	recovery = 2 * time.Minute
	// settling is how long a new rate takes to show: who is refused before is
	// refused for what the old one did.
	settling = time.Second
	// plenty is a rate above which slowing down has no use any more.
	plenty = 1000.0
	// catchUp is how late callers may be woken without losing their turn.
	catchUp = 100 * time.Millisecond
)

// A Throttle bounds the rate of all calls of one account, and learns how much
// is too much, since WeChat publishes no limit: a refusal halves the rate,
// success raises it again little by little, and well above the rate that was
// refused it does not bind any more.
//
// It is not safe for concurrent use, and reads no clock.
type Throttle struct {
	ceiling float64 // what the operator allows; +Inf: anything
	limit   float64 // calls a second now; +Inf: as many as there are
	goal    float64 // above limit: what a slow start goes back to
	knee    float64 // what was too much last; 0: nothing of late

	since time.Time // calls that began before say nothing about limit
	grown time.Time // when limit was raised last
	slot  time.Time // before it no call begins
	seen  meter
}

// NewThrottle allows so many calls a second; 0 is any number.
func NewThrottle(perSecond float64) *Throttle {
	if perSecond <= 0 {
		perSecond = math.Inf(1)
	}
	return &Throttle{ceiling: perSecond, limit: perSecond}
}

// Limit is the rate in effect in calls a second; 0 if there is none.
func (t *Throttle) Limit() float64 {
	if math.IsInf(t.limit, 1) {
		return 0
	}
	return t.limit
}

// Take lets a call begin now and returns 0, or says how long to wait before
// the next try. The caller wants to call since waiting; one at a time may ask.
func (t *Throttle) Take(waiting, now time.Time) (wait time.Duration) {
	if wait = t.slot.Sub(now); wait > 0 {
		return wait
	}
	t.seen.add(now)
	if !math.IsInf(t.limit, 1) {
		// The next slot follows this one, and not the moment at which its
		// caller woke up: else every late timer would lower the rate.
		t.slot = latest(t.slot, waiting, now.Add(-catchUp)).Add(every(t.limit))
	}
	return 0
}

// Pause lets no call begin before a time.
func (t *Throttle) Pause(until time.Time) { t.slot = latest(t.slot, until) }

// Refused halves the rate because a call that began then was one too many, and
// reports whether it did: calls that were in flight together are refused
// together, and say it only once. What was too much is the rate over the span
// before now, two seconds to a minute: the one by which WeChat seems to count.
func (t *Throttle) Refused(began, now time.Time, span time.Duration) bool {
	if !began.After(t.since.Add(settling)) {
		return false
	}
	half := min(t.limit, t.seen.perSecond(now, span)) / 2
	t.limit = min(max(slowest, half), t.ceiling)
	t.goal, t.knee = t.limit, 2*t.limit
	t.since, t.grown = now, now
	return true
}

// Succeeded raises the rate, once for every second with a success.
func (t *Throttle) Succeeded(began, now time.Time) {
	if t.limit >= t.ceiling || !began.After(t.since) || now.Sub(t.grown) < time.Second {
		return
	}
	t.grown = now
	if t.limit < t.goal {
		t.limit = min(2*t.limit, t.goal)
	} else {
		t.limit += t.knee / 2 / recovery.Seconds()
	}
	if t.limit >= plenty || t.knee > 0 && t.limit >= 2*t.knee {
		t.limit = t.ceiling
	}
	if t.limit >= t.ceiling {
		t.limit, t.knee = t.ceiling, 0
	}
}

// SlowStart begins with a few calls a second and doubles them for every second
// with a success until the rate is what it was.
func (t *Throttle) SlowStart(now time.Time) {
	t.goal = max(t.limit, t.goal)
	t.limit = min(start, t.limit)
	t.since, t.grown = now, now
}

// every is the time between calls at a rate.
func every(perSecond float64) time.Duration {
	const most = 24 * time.Hour
	return time.Duration(min(float64(time.Second)/perSecond, float64(most)))
}

func latest(a time.Time, others ...time.Time) time.Time {
	for _, b := range others {
		if b.After(a) {
			a = b
		}
	}
	return a
}
