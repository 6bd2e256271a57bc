package pipeline

import (
	"slices"
	"sync"
	"time"
)

const (
	// linger lets what arrives in the same moment share a call.
	linger = 2 * time.Millisecond
	// earlyBurst is how many early calls may follow each other.
	earlyBurst = 4
	// mostStoring is how many groups' answers are on their way into the output at
	// once: as many as it takes to keep JetStream busy. No call begins meanwhile,
	// since its answer would only wait, and take memory.
	mostStoring = 8
	// backlogPatience is the longest wait for a batch to fill in a backlog.
	backlogPatience = 10 * time.Second
)

// dispatch starts whatever can start.
func (l *loop) dispatch(now time.Time) {
	defer l.crowdRoom()
	l.clearSuspects()
	l.turnQuarantine()
	for len(l.plain) > 0 && l.settles < plainSettles && !l.stopping() {
		l.settles++
		n := min(len(l.plain), plainChunk)
		plain := l.plain[:n:n]
		l.plain = l.plain[n:]
		go func() { l.done <- l.answerPlain(l.c, plain) }()
	}
	for l.held == nil && l.calls < l.concurrency() && len(l.storing) < mostStoring && !l.stopping() {
		if l.doubt(now) {
			return
		}
		if h := l.budget.spent(now, l.rand); h != nil {
			l.hold(h)
			l.rest()
			return
		}
		if !l.mayBegin(now) {
			return
		}
		items := l.group(now)
		if len(items) == 0 {
			return
		}
		l.look(now, items)
	}
}

// look starts one look-up.
func (l *loop) look(now time.Time, items []*item) {
	l.calls++
	l.room.enter(l.task != nil)
	if items[0].State.charge == nil { // or it takes no call
		l.watchQuota(now)
		l.bucket.Take(now)
		l.stats.group(len(items))
		l.timings.lookedUp(items[0].Since, now)
	}
	c := contexts{stop: l.period.ctx, abort: l.c.abort, last: l.stopping()}
	if l.task != nil {
		l.task.opening.Add(1)
		c.begun = sync.OnceFunc(func() { l.task.opening.Add(-1) })
	}
	go func() { l.done <- l.work(c, items) }()
}

// group is what to look up next, or nil if nothing is due.
func (l *loop) group(now time.Time) []*item {
	if n := len(l.ready); n > 0 {
		items := l.ready[0]
		l.ready = l.ready[1:]
		return items
	}
	since, open := l.batch.Oldest()
	if !open || !l.closes(now, since) {
		return nil
	}
	return l.apart(l.batch.Take(l.fit()))
}

// fit is how many openids the next call asks for: as many as WeChat takes, and
// fewer while many are refused.
func (l *loop) fit() int { return l.share.Size(l.size) }

// closes reports whether the open batch is to be looked up now.
func (l *loop) closes(now, since time.Time) bool {
	stuck := l.handsFull() && l.calls == 0 && l.settles == 0 // nothing but this batch can free a hand
	if l.batch.Len() >= l.fit() || stuck || l.limit.reached() || l.complete() {
		return true
	}
	return !now.Before(l.closesAt(now, since))
}

// closesAt is when the open batch closes that is not full. In a backlog, where
// everybody has waited already, more is on its way, and a call that is not full
// would be wasted. That wait ends when nothing comes any more, since somebody
// else may have taken it, or when it gets too long: most of what comes may be
// for people whose answers are known.
func (l *loop) closesAt(now, since time.Time) time.Time {
	if l.rate.Gap() > 0 { // who bounds a job would rather see it move than save calls
		return l.rate.Closes(since, l.cfg.WindowMax)
	}
	if l.backlog || l.task != nil {
		quiet, long := l.taken.Add(l.cfg.WindowMax), since.Add(backlogPatience)
		if l.calls > 0 && l.hand.n >= l.cfg.inHand() {
			quiet = long // we have all that we may have, and shall have more when a call ends
		}
		if quiet.Before(long) {
			return quiet
		}
		return long
	}
	return l.window.Closes(since, l.bucket.Next(now))
}

// apart keeps one openid in two languages out of one call: WeChat does not say
// what it makes of an openid that occurs twice.
func (l *loop) apart(items []*item) []*item {
	if !l.langs {
		return items
	}
	seen := make(map[string]bool, len(items))
	return slices.DeleteFunc(items, func(it *item) bool {
		if seen[it.Key.openid] {
			l.batch.Return(it)
			return true
		}
		seen[it.Key.openid] = true
		return false
	})
}
