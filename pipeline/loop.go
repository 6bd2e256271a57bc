package pipeline

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/batch"
	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

// A loop is a running lane. One goroutine owns all of it, and nothing in it is
// locked: groups are looked up and settled elsewhere, and come back on done.
type loop struct {
	*Lane
	c        contexts
	consumer jetstream.Consumer

	tap     *tap        // nil while nothing is pulled
	full    time.Time   // since when no event can be taken; zero if some can
	hand    hand        // all deliveries not yet settled or handed back
	plain   []*delivery // those whose answer needs no look-up
	batch   *batch.Batcher[key, *delivery, notes]
	ready   [][]*item // groups to look up as they stand
	later   []delayed // items to look up again, soonest first
	langs   bool      // some event asked for another language than the account's
	backlog bool      // behind the latest event there are more
	taken   time.Time // when the latest event was taken
	size    int       // openids in one call
	calls   int       // groups being looked up
	settles int       // chunks of plain answers being settled
	probing bool      // the account is being tried
	marking bool      // the stream is being asked for its last sequence
	marked  time.Time // when it was last
	bucket  *pace.Bucket
	window  pace.Window

	asked    chan struct{} // the stream has answered
	bound    chan binding
	rebindAt time.Time // when a lost durable is looked for again
	binding  bool      // it is being looked for

	done     chan outcome
	period   period // ends when the lane stops or goes on hold
	held     *Hold  // nil while the lane runs
	lastHold *Hold  // also after it ended
	probed   chan *Hold
	timer    *time.Timer
}

// delayed is an item that waits for its time.
type delayed struct {
	at   time.Time
	item *item
	lone bool // ask it alone: others must not suffer if it is refused
}

func newLoop(l *Lane, consumer jetstream.Consumer, c contexts) *loop {
	now := time.Now()
	return &loop{
		Lane: l, c: c, consumer: consumer,
		batch:  batch.New[key, *delivery, notes](),
		size:   l.cfg.BatchSize,
		bucket: pace.NewBucket(now, pace.PerSecond(l.cfg.DailyCalls, l.cfg.DailyCalls, 24*time.Hour), earlyBurst),
		window: pace.Window{Fixed: l.cfg.Fixed, Wait: l.cfg.Window, Max: l.cfg.WindowMax, Linger: linger},
		done:   make(chan outcome, l.cfg.Concurrency+plainSettles), // a group never waits for the loop
		probed: make(chan *Hold, 1),
		bound:  make(chan binding, 1),
		asked:  make(chan struct{}, 1),
		period: newPeriod(c),
		timer:  time.NewTimer(0),
	}
}

const (
	// linger lets what arrives in the same moment share a call.
	linger = 2 * time.Millisecond
	// plainSettles is how many chunks of answers that need no look-up are
	// published at once: one would wait for each round trip.
	plainSettles = 4
	// backlogPatience is the longest wait for a batch to fill in a backlog.
	backlogPatience = 10 * time.Second
	// earlyBurst is how many early calls may follow each other.
	earlyBurst = 4
	// loneRetry is the wait before somebody is asked again who was refused
	// while nobody else has worked.
	loneRetry = time.Minute
)

// run is the lane's life: it ends when the lane has stopped and nothing is in
// hand any more.
func (l *loop) run() {
	defer l.timer.Stop()
	defer func() { l.period.end() }()
	l.state.set(State{Phase: Running})
	stopped := l.c.stop.Done()
	for {
		now := time.Now()
		l.dispatch(now)
		l.turnTap(now)
		l.askMark(now)
		l.stats.inHand.Store(int64(l.hand.n))
		if l.tap == nil && l.idle() && (l.stopping() || l.limit.reached() && l.hand.n == 0) {
			return
		}
		l.timer.Reset(l.next(now).Sub(now))
		select {
		case d, ok := <-l.incoming():
			l.take(d, ok)
		case o := <-l.done:
			l.settled(o)
		case h := <-l.probed:
			l.reprobed(h)
		case b := <-l.bound:
			l.rebound(b)
		case <-l.asked:
			l.marking = false
		case <-l.timer.C:
			l.tick(time.Now())
		case <-stopped:
			stopped = nil
			l.stop()
		}
	}
}

// stopping reports whether nothing new may begin.
func (l *loop) stopping() bool { return l.c.stop.Err() != nil }

// resting reports whether the lane takes in no events.
func (l *loop) resting() bool { return l.held != nil || l.stopping() }

// idle reports whether no goroutine works for the lane.
func (l *loop) idle() bool {
	return l.calls == 0 && l.settles == 0 && !l.probing && !l.binding && !l.marking
}

// incoming is the tap's channel as long as another event can be taken. A tap
// that is closing is read to its end, or its last events would stay ours.
func (l *loop) incoming() <-chan *delivery {
	if l.tap == nil || l.crowded() && !l.tap.closed {
		return nil
	}
	return l.tap.out
}

// crowded reports whether the lane has enough to do: every call is busy and
// the next batch is full.
func (l *loop) crowded() bool {
	return l.batch.Len() >= l.size || l.hand.n >= l.cfg.inHand()
}

// turnTap opens or closes the pull. It closes one that nobody has read for a
// while: what the client has buffered ages against AckWait, but what is in
// hand is kept alive.
func (l *loop) turnTap(now time.Time) {
	if !l.crowded() {
		l.full = time.Time{}
	} else if l.full.IsZero() {
		l.full = now
	}
	switch {
	case l.tap == nil && !l.resting() && l.full.IsZero() && !l.limit.reached():
		l.openTap(now)
	case l.tap != nil && (l.resting() || l.limit.reached() || !l.full.IsZero() && now.Sub(l.full) > l.beatEvery()):
		l.tap.close()
	}
}

// take accepts one event, or the end of the tap.
func (l *loop) take(d *delivery, ok bool) {
	if !ok {
		if !l.tap.closed {
			l.consumer = nil // it ended by itself: see whether the durable is still there
		}
		l.tap = nil
		return
	}
	if l.resting() || !l.limit.take() {
		d.handBack()
		return
	}
	now := time.Now()
	l.stats.received.Add(1)
	l.hand.add(d, now)
	if l.tap.closed {
		_ = d.msg.InProgress() // it has waited in the client until now
	}
	l.backlog, l.taken = d.pending > 0, now
	l.mark.seen(d.event.Source.Seq)
	l.route(now, d)
}

// route brings an event to where its answer comes from.
func (l *loop) route(now time.Time, d *delivery) {
	if d.rejection != nil || strings.EqualFold(d.event.Type, "unsubscribe") {
		l.plain = append(l.plain, d)
		return
	}
	k := key{openid: d.event.OpenID, lang: l.langOf(&d.event)}
	life, _ := l.mark.get()
	d.known = l.recent.get(recentKey{l.cfg.AppID, life, k}, d.event.Source.Seq, l.cfg.RecentMaxAge)
	if d.known != nil && !l.batch.Has(k) { // else a newer answer is on its way
		l.stats.saved.Add(1)
		l.plain = append(l.plain, d)
		return
	}
	l.langs = l.langs || k.lang != l.cfg.Lang
	l.batch.Add(now, k, d)
}

// dispatch starts whatever can start.
func (l *loop) dispatch(now time.Time) {
	if len(l.plain) > 0 && l.settles < plainSettles {
		l.settles++
		plain := l.plain
		l.plain = nil
		go func() { l.done <- l.answerPlain(l.c, plain) }()
	}
	for l.held == nil && l.calls < l.cfg.Concurrency && !l.stopping() {
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
	l.bucket.Take(now)
	l.stats.group(len(items))
	c := contexts{stop: l.period.ctx, abort: l.c.abort}
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
	return l.apart(l.batch.Take(l.size))
}

// closes reports whether the open batch is to be looked up now.
func (l *loop) closes(now, since time.Time) bool {
	stuck := l.hand.n >= l.cfg.inHand() && l.calls == 0 && l.settles == 0 // nothing but this batch can free a hand
	if l.batch.Len() >= l.size || stuck || l.limit.reached() {
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
	if l.backlog {
		quiet, long := l.taken.Add(l.cfg.WindowMax), since.Add(backlogPatience)
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

// settled takes a group's outcome.
func (l *loop) settled(o outcome) {
	if o.plain != nil {
		l.settles--
		l.plain = append(l.release(o.plain), l.plain...)
		l.rest()
		return
	}
	l.calls--
	now := time.Now()
	for _, it := range o.done {
		if it.Waiters = l.release(it.Waiters); len(it.Waiters) > 0 {
			l.batch.Return(it) // the lane stops before all are settled
			continue
		}
		for _, d := range l.batch.Done(it) {
			l.route(now, d)
		}
	}
	for _, it := range slices.Backward(o.back) {
		l.batch.Return(it)
	}
	for _, it := range o.later {
		l.delay(now.Add(l.cfg.Recheck), it, false)
	}
	for _, it := range o.doubt {
		l.delay(now.Add(loneRetry), it, true)
	}
	l.ready = append(l.ready, o.ready...)
	if o.halved > 0 && o.halved < l.size {
		l.size = o.halved
		l.log.Warn("WeChat takes no batch as large as it was; asking for fewer from now on", slog.Int("batch_size", l.size))
	}
	l.weighDoubt(now)
	if o.hold != nil && l.held == nil {
		l.hold(o.hold)
	}
	l.rest()
}

// release lets go of settled deliveries, and returns the others.
func (l *loop) release(ds []*delivery) []*delivery {
	return slices.DeleteFunc(ds, func(d *delivery) bool {
		if d.settled {
			l.hand.remove(d)
		}
		return d.settled
	})
}

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
