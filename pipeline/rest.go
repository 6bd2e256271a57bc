package pipeline

import (
	"context"
	"time"
)

// A period is the time between two holds: waits between attempts end with it.
type period struct {
	ctx context.Context
	end context.CancelFunc
}

func newPeriod(c contexts) period {
	ctx, end := context.WithCancel(c.stop)
	return period{ctx, end}
}

// stop begins the end: the open batch goes into free slots, and whatever finds
// none goes back; so does what a task may not ask for now.
func (l *loop) stop() {
	l.state.set(State{Phase: Stopping})
	for l.held == nil && l.batch.Len() > 0 && l.calls < l.cfg.Concurrency && l.mayBegin(time.Now()) {
		l.look(time.Now(), l.apart(l.batch.Take(l.fit())))
	}
	l.rest()
	fault("stopping")
}

// rest hands back all that nobody works on, while the lane takes in nothing.
// At once, so that the next replica need not wait for AckWait; but not while
// a pull of ours is open, which would only bring it again.
func (l *loop) rest() {
	l.inherit()
	if !l.resting() || l.announcing {
		return
	}
	if l.tap != nil {
		l.tap.close()
		return
	}
	l.handBack(l.batch.Flush())
	for _, items := range l.ready {
		for _, it := range items {
			l.handBack(l.batch.Drop(it))
		}
	}
	for _, d := range l.later {
		l.handBack(l.batch.Drop(d.item))
	}
	l.handBack(l.plain)
	l.handBack(l.suspects)
	l.handBack(l.unmarked)
	l.handBack(l.inside)
	l.handBack(l.heirs)
	l.unwanted()
	l.ready, l.later, l.plain, l.suspects, l.unmarked, l.inside, l.heirs = nil, nil, nil, nil, nil, nil, nil
}

// unwanted hands back what came when nothing was to be taken any more.
func (l *loop) unwanted() {
	l.handBack(l.extra)
	l.giveBack(l.surplus)
	l.extra, l.surplus = nil, nil
}

func (l *loop) handBack(ds []*delivery) {
	l.giveBack(ds)
	l.stats.handedBack.Add(int64(len(ds)))
}

func (l *loop) giveBack(ds []*delivery) {
	for _, d := range ds {
		l.hand.remove(d)
		l.left(d)
		d.handBack()
	}
}
