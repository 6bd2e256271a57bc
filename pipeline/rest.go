package pipeline

import (
	"context"
	"log/slog"
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

// hold stops the lane until its account works again.
func (l *loop) hold(h *Hold) {
	now := time.Now()
	if last := l.lastHold; last != nil && last.Reason == h.Reason && !l.proof.since(last.Since) {
		h.Since, h.Probes = last.Since, last.Probes+1 // nothing has worked since: it is the same one
	}
	if d := l.hand.head; d != nil {
		h.openid = d.event.OpenID
	}
	h.schedule(now, l.rand)
	l.held, l.lastHold = h, h
	l.refused = refusedOnes{} // whatever is mended may be about them
	l.period.end()
	l.state.set(State{Phase: Held, Hold: h})
}

// tryAgain probes the account.
func (l *loop) tryAgain() {
	h := *l.held
	l.probing = true
	go func() { l.probed <- l.probe(l.c, &h) }()
}

// reprobed takes a probe's result.
func (l *loop) reprobed(h *Hold) {
	l.probing = false
	if h != nil {
		h.schedule(time.Now(), l.rand)
		l.held, l.lastHold = h, h
		l.state.set(State{Phase: Held, Hold: h})
		return
	}
	l.log.Info("trying the account again", slog.String("hold", l.held.Reason), slog.Duration("held", time.Since(l.held.Since)))
	l.held = nil
	l.period = newPeriod(l.c)
	l.state.set(State{Phase: Running})
}

// stop begins the end: the open batch goes into free slots, and whatever finds
// none goes back.
func (l *loop) stop() {
	l.state.set(State{Phase: Stopping})
	for l.held == nil && l.batch.Len() > 0 && l.calls < l.cfg.Concurrency {
		l.look(time.Now(), l.apart(l.batch.Take(l.size)))
	}
	l.rest()
}

// rest hands back all that nobody works on, while the lane takes in nothing.
// At once, so that the next replica need not wait for AckWait.
func (l *loop) rest() {
	if !l.resting() {
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
	l.ready, l.later, l.plain = nil, nil, nil
}

func (l *loop) handBack(ds []*delivery) {
	for _, d := range ds {
		l.hand.remove(d)
		d.handBack()
	}
	l.stats.handedBack.Add(int64(len(ds)))
}
