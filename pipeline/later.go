package pipeline

import (
	"slices"
	"time"
)

// delayed is an item that waits for its time.
type delayed struct {
	at   time.Time
	item *item
	lone bool // by itself: it was refused, and others must not suffer if it is again
}

// loneRetry is the first wait before somebody is asked again who was refused
// while nobody else has worked; each one after it is twice as long.
const loneRetry = time.Minute

// delay puts an item off.
func (l *loop) delay(at time.Time, it *item, lone bool) {
	i, _ := slices.BinarySearchFunc(l.later, at, func(d delayed, at time.Time) int { return d.at.Compare(at) })
	l.later = slices.Insert(l.later, i, delayed{at, it, lone})
}

// weighDoubt looks at those who were refused. Once somebody works, those who
// are charged are found guilty, and the others asked again, alone. Two of
// these, and nobody still, means that it is everybody.
func (l *loop) weighDoubt(now time.Time) {
	refused := 0
	for i := range l.later {
		d := &l.later[i]
		switch {
		case !d.lone:
		case d.item.State.charge != nil:
			if l.proof.after(d.item.State.charge.refused) {
				d.at = now
			}
		case l.proof.after(d.item.State.doubted):
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
	l.nextExpiry(now, sooner)
	l.nextOfRange(now, sooner)
	if l.hand.n > 0 {
		sooner(l.hand.head.beaten.Add(l.beatEvery()))
	}
	if l.board != nil && !l.telling {
		sooner(l.tellAt())
	}
	if l.held != nil {
		l.nextOfHold(sooner)
		return at
	}
	if l.stopping() {
		return at // what is left waits for the tap to close, and for nothing that is due
	}
	if l.doubts {
		sooner(now.Add(repaceEvery / 10))
	} else if since, open := l.batch.Oldest(); open && l.calls < l.concurrency() && l.mayBegin(now) {
		sooner(l.closesAt(now, since))
	}
	if len(l.later) > 0 {
		sooner(l.later[0].at)
	}
	if l.tap != nil && !l.tap.closed && !l.full.IsZero() {
		sooner(l.full.Add(l.beatEvery()))
	}
	if l.tap == nil && !l.ended && !l.resting() && !l.binding && l.full.IsZero() && !l.limit.reached() {
		sooner(l.rebindAt)
	}
	return at
}

// tick does what time alone brings about.
func (l *loop) tick(now time.Time) {
	l.hand.beat(now.Add(-l.beatEvery()), now)
	if l.held != nil {
		l.tickOfHold(now)
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
func (l *loop) beatEvery() time.Duration { return time.Duration(l.ackWait.Load()) / 3 }
