package pace

import "time"

// Intake bounds how many events are taken in a second. A nil Intake bounds
// nothing. It is not safe for concurrent use, and reads no clock.
type Intake struct {
	every time.Duration
	taken int       // and not returned
	next  time.Time // before it no event is taken; zero before the first
}

// intakeBurst is how long events may wait for their taker without losing their
// turn.
const intakeBurst = 100 * time.Millisecond

// NewIntake allows so many events a second, above 0.
func NewIntake(perSecond float64) *Intake { return &Intake{every: every(perSecond)} }

// Ready reports whether an event may be taken now.
func (i *Intake) Ready(now time.Time) bool { return i == nil || !now.Before(i.next) }

// Take counts one that is taken. Turns begin with the first: how long that was in
// coming gives no others a claim.
func (i *Intake) Take(now time.Time) {
	if i == nil {
		return
	}
	if i.taken++; i.taken == 1 {
		i.next = now
	}
	i.next = latest(i.next, now.Add(-intakeBurst)).Add(i.every)
}

// Return takes back one that was counted and is not to be.
func (i *Intake) Return() {
	if i != nil {
		i.taken--
		i.next = i.next.Add(-i.every)
	}
}

// Next is when the next event may be taken: now or later.
func (i *Intake) Next(now time.Time) time.Time {
	if i.Ready(now) {
		return now
	}
	return i.next
}

// Gap is the time between two events; 0 if nothing is bounded.
func (i *Intake) Gap() time.Duration {
	if i == nil {
		return 0
	}
	return i.every
}

// lastMoment is how long a batch waits, at most, for an event that is due when it
// would close.
const lastMoment = 50 * time.Millisecond

// Closes is when a batch closes that waits so long for events after its first. One
// that is due just then is taken along, whether it waits in the client or the
// server: how many share a call is not left to chance.
func (i *Intake) Closes(first time.Time, window time.Duration) time.Time {
	return first.Add(window + min(lastMoment, i.Gap()/2))
}
