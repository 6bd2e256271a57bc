package pipeline

import (
	"log/slog"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// halting is why and how a lane rests. It belongs to the loop.
type halting struct {
	held   *Hold     // nil while the lane runs
	rev    uint64    // of what is written down of it; 0: nothing is
	seen   uint64    // the latest revision when it began: a later one ends it
	life   uint64    // of the bucket
	last   *Hold     // also after it ended
	free   time.Time // when the lane goes on, once the hold is over; zero while it is not
	looked time.Time // when the credentials were looked at

	announcing bool           // it is being written down
	announced  chan announced //
	probing    bool           // the account is being tried
	probed     chan claimed   //
}

// announced is a hold as it is written down.
type announced struct {
	hold *Hold
	rev  uint64
}

// freeJitter spreads the replicas that go on after one of them found that the
// account works.
const freeJitter = time.Second

// renewEvery is how often the credentials are looked at during a hold, so that
// whoever has mended a secret need not wait for the next probe.
const renewEvery = 2 * time.Second

// hold stops the lane until its account works again. What is in hand goes back
// when the hold is written down.
func (l *loop) hold(h *Hold) {
	now := time.Now()
	if last := l.last; last != nil && last.Reason == h.Reason && !l.proof.since(last.Since) {
		h.Since, h.Probes = last.Since, last.Probes+1 // nothing has worked since: it is the same one
	}
	h.schedule(now, l.rand)
	l.halt(h, 0)
	if l.board == nil {
		return
	}
	l.announcing = true
	mine := *h
	go func() {
		hold, rev := l.announce(l.c.abort, &mine)
		l.announced <- announced{hold, rev}
	}()
}

// halt begins a hold.
func (l *loop) halt(h *Hold, rev uint64) {
	l.catchUp()
	l.free, l.looked = time.Time{}, time.Now()
	l.refused = refusedOnes{} // whatever is mended may be about them
	l.period.end()
	l.keep(h, rev)
}

// keep takes over what is known of the hold.
func (l *loop) keep(h *Hold, rev uint64) {
	l.held, l.last, l.rev = h, h, rev
	l.seen = max(l.seen, rev)
	l.state.set(State{Phase: Held, Hold: h})
}

// catchUp takes what is written down now for known.
func (l *loop) catchUp() {
	account, own := l.posted()
	l.seen = max(l.seen, account.rev, own.rev)
}

// told takes the hold as it is written down.
func (l *loop) told(a announced) {
	l.announcing = false
	l.keep(a.hold, a.rev)
	l.noticed()
	l.rest()
}

// noticed takes what the board says that is new: a hold, another date for its
// probe, or its end.
func (l *loop) noticed() {
	if life := l.board.which(); life != l.life {
		// What was written down is lost: the mark has to be raised again before
		// anything is taken, and who works is news again.
		l.life, l.may, l.notedAt = life, 0, time.Time{}
	}
	l.learnSpent(time.Now())
	l.learnCrashes()
	if l.announcing || l.probing || l.stopping() {
		return // what comes of it is newer
	}
	account, own := l.posted()
	news := func(p posting) bool { return p.rev > l.seen }
	switch {
	case news(account) && account.hold != nil && l.held == nil:
		l.halt(account.hold, account.rev)
		l.rest()
	case news(account) && account.hold != nil:
		l.free = time.Time{}
		l.keep(account.hold, account.rev)
	case l.held == nil:
	case news(own) && own.hold != nil && l.held.Own():
		l.keep(own.hold, own.rev)
	case news(account) || news(own): // taken away
		l.free = time.Now().Add(time.Duration(l.rand() * float64(freeJitter)))
	}
	l.catchUp()
}

// rejudge tries the account at once if it rests by our own limits alone, and those
// of this replica leave something: they have been raised since. That is for a lane
// that begins. Replicas with different limits would else undo for ever what the
// others have said.
func (l *loop) rejudge(now time.Time) {
	if l.task != nil || l.held == nil || !l.held.byOurLimits() || l.held.Prober != "" { // somebody does it already
		return
	}
	exhausted := true
	l.budget.do(func(b *quota.Ledger) { exhausted = b.Exhausted(now) })
	if exhausted {
		return
	}
	l.log.Info("the quota's limits leave something again")
	l.try()
}

// nextOfHold says when the hold has to be looked at.
func (l *loop) nextOfHold(sooner func(time.Time)) {
	if l.probing || l.announcing || l.stopping() {
		return
	}
	if !l.free.IsZero() {
		sooner(l.free)
		return
	}
	if due, ok := l.held.due(); ok {
		sooner(due)
	}
	if l.renewed != nil {
		sooner(l.looked.Add(renewEvery))
	}
}

// tickOfHold does what time brings about during a hold.
func (l *loop) tickOfHold(now time.Time) {
	if l.probing || l.announcing || l.stopping() {
		return
	}
	due, ok := l.held.due()
	switch {
	case !l.free.IsZero():
		if !now.Before(l.free) {
			l.resume()
		}
	case ok && !now.Before(due):
		l.try()
	case l.renewed != nil && now.Sub(l.looked) >= renewEvery:
		if l.looked = now; l.renewed() && l.held.Reason != HoldManual {
			l.log.Info("the credentials have changed")
			l.try()
		}
	}
}

// try tries the account, beside the loop.
func (l *loop) try() {
	l.probing = true
	h, rev, consumer := *l.held, l.rev, l.consumer
	go func() { l.probed <- l.tryAgain(l.c, consumer, h, rev) }()
}

// reprobed takes a probe's result.
func (l *loop) reprobed(r claimed) {
	l.probing = false
	switch {
	case r.lost:
		later := *l.held
		later.Prober, later.Until = "", time.Now().Add(time.Second) // until the board says more
		l.held = &later
	case r.hold != nil:
		l.keep(r.hold, r.rev)
	default:
		l.seen = max(l.seen, r.rev) // what is written behind that is another hold
		l.resume()
	}
	l.noticed()
}

// resume ends a hold.
func (l *loop) resume() {
	l.log.Info("trying the account again", slog.String("hold", l.held.Reason), slog.Duration("held", time.Since(l.held.Since)))
	l.held, l.rev, l.free = nil, 0, time.Time{}
	l.proof.anew()
	l.period = newPeriod(l.c)
	l.throttle.slowStart()
	l.state.set(State{Phase: Running})
}
