package pipeline

import (
	"slices"
	"time"
)

// delayed is an item that waits for its time.
type delayed struct {
	at   time.Time
	item *item
	lone bool // ask it alone: others must not suffer if it is refused
}

// loneRetry is the wait before somebody is asked again who was refused while
// nobody else has worked.
const loneRetry = time.Minute

// delay puts an item off.
func (l *loop) delay(at time.Time, it *item, lone bool) {
	i, _ := slices.BinarySearchFunc(l.later, at, func(d delayed, at time.Time) int { return d.at.Compare(at) })
	l.later = slices.Insert(l.later, i, delayed{at, it, lone})
}

// weighDoubt looks at those who were refused while nobody worked. Once
// somebody has, each is asked again, alone; two, and nobody still, means that
// it is everybody.
func (l *loop) weighDoubt(now time.Time) {
	refused := 0
	for i := range l.later {
		d := &l.later[i]
		switch {
		case !d.lone:
		case l.proof.since(d.item.State.refused):
			d.at = now
		default:
			refused++
		}
	}
	slices.SortStableFunc(l.later, func(a, b delayed) int { return a.at.Compare(b.at) })
	if refused >= 2 && l.held == nil {
		l.hold(l.wrongAccount())
	}
}

// next is when the loop has to look again if nothing happens.
func (l *loop) next(now time.Time) time.Time {
	at := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	if l.hand.n > 0 {
		sooner(l.hand.head.beaten.Add(l.beatEvery()))
	}
	if l.held != nil {
		if !l.probing {
			sooner(l.held.Until)
		}
		return at
	}
	if since, open := l.batch.Oldest(); open && l.calls < l.cfg.Concurrency {
		sooner(l.closesAt(now, since))
	}
	if len(l.later) > 0 {
		sooner(l.later[0].at)
	}
	if l.tap != nil && !l.full.IsZero() {
		sooner(l.full.Add(l.beatEvery()))
	}
	if l.tap == nil && !l.resting() && !l.binding {
		sooner(l.rebindAt)
	}
	return at
}

// tick does what time alone brings about.
func (l *loop) tick(now time.Time) {
	l.hand.beat(now.Add(-l.beatEvery()), now)
	if l.held != nil {
		if !now.Before(l.held.Until) && !l.stopping() && !l.probing {
			l.tryAgain()
		}
		return
	}
	for len(l.later) > 0 && !now.Before(l.later[0].at) {
		d := l.later[0]
		l.later = l.later[1:]
		if d.lone {
			l.ready = append(l.ready, []*item{d.item})
		} else {
			l.batch.Return(d.item)
		}
	}
}

// beatEvery is a third of AckWait: one beat may get lost.
func (l *loop) beatEvery() time.Duration { return l.ackWait / 3 }
