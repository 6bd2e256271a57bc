package pipeline

import "sync/atomic"

// A Limit ends lanes after a number of events: for a shadow run. All lanes of
// a process may share one. A nil Limit never ends anything.
type Limit struct{ left atomic.Int64 }

// NewLimit lets n events in.
func NewLimit(n int64) *Limit {
	l := new(Limit)
	l.left.Store(n)
	return l
}

// take lets one event in, if there is one left.
func (l *Limit) take() bool { return l == nil || l.left.Add(-1) >= 0 }

// reached reports whether no event is left.
func (l *Limit) reached() bool { return l != nil && l.left.Load() <= 0 }
