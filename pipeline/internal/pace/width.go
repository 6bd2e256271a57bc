package pace

import "time"

// A Width bounds how many calls of one account are in flight when WeChat has
// refused some because it was overloaded: too many at once are another thing
// than too many in a second. A refusal halves it, each second with a success
// makes room for one more.
//
// It is not safe for concurrent use, and reads no clock.
type Width struct {
	most, now    int
	since, grown time.Time
}

// NewWidth allows so many calls at once, at least one.
func NewWidth(most int) *Width { return &Width{most: most, now: most} }

// Limit is how many calls may be in flight.
func (w *Width) Limit() int { return w.now }

// Full reports whether another call has to wait for one of so many to end.
// Nothing is bounded before a refusal, or once everything has been regained.
func (w *Width) Full(inFlight int) bool { return w.now < w.most && inFlight >= w.now }

// Refused halves the width because a call that began then was one too many.
// Calls that were in flight together say it only once.
func (w *Width) Refused(began, now time.Time) {
	if began.After(w.since) {
		w.now, w.since, w.grown = max(1, w.now/2), now, now
	}
}

// Succeeded widens it by one, once a second.
func (w *Width) Succeeded(began, now time.Time) {
	if w.now < w.most && began.After(w.since) && now.Sub(w.grown) >= time.Second {
		w.now, w.grown = w.now+1, now
	}
}
