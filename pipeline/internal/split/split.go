// Package split finds the one in a refused group that made the call fail.
//
// A call with a bad openid in it fails whole and does not say who it was, so
// each further call yields at most one bit. A Split spends that bit well: it
// asks one half only. If that half is refused too, the bad one is in it, and
// nothing is known of the other half; if it is answered, the bad one must be
// in the other. What stays unknown goes back to its queue and joins another
// batch, where it costs nothing extra.
//
// In a group of 100 that is seven calls after the refused one. Asking both
// halves would take fourteen.
package split

// A Split narrows one refused group. Its zero value is not usable: see New.
type Split[T any] struct {
	suspects []T  // at least one of them is refused
	asked    int  // how many of suspects the pending call asks, 0 if none is pending
	seen     bool // the suspects were refused as they stand, not by inference
}

// New starts with a group that was refused as a whole; it must not be empty.
func New[T any](refused []T) *Split[T] {
	return &Split[T]{suspects: refused, seen: true}
}

// Ask returns the half to ask next, or nil when one suspect is left: see Leaf.
func (s *Split[T]) Ask() []T {
	if len(s.suspects) == 1 {
		return nil
	}
	s.asked = len(s.suspects) / 2
	return s.suspects[:s.asked]
}

// Answered reports that the half from Ask was answered: the other half holds
// the refused one.
func (s *Split[T]) Answered() {
	s.suspects, s.asked, s.seen = s.suspects[s.asked:], 0, false
}

// Refused reports that the half from Ask was refused as well. It returns the
// other half, of which nothing is known any more.
func (s *Split[T]) Refused() (unknown []T) {
	unknown = s.suspects[s.asked:]
	s.suspects, s.asked, s.seen = s.suspects[:s.asked], 0, true
	return unknown
}

// Rest is what is still suspected; a caller that gives up hands it back.
func (s *Split[T]) Rest() []T { return s.suspects }

// Leaf is the last suspect. If it was only inferred it was never asked alone,
// and one more call must confirm it: the group may have changed its mind (a
// person unfollowed, a fault passed) since it was refused.
func (s *Split[T]) Leaf() (leaf T, inferred bool) {
	return s.suspects[0], !s.seen
}
