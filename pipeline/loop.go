package pipeline

import (
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/batch"
	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
	"github.com/wxenrich/wxenrich/pipeline/internal/split"
	"github.com/wxenrich/wxenrich/wechat"
)

// A loop is a running lane. One goroutine owns all of it, and nothing in it is
// locked: groups are looked up and settled elsewhere, and come back on done.
type loop struct {
	*Lane
	c     contexts
	timer *time.Timer // of the next thing that time brings about: see next

	// Where events come from.
	consumer jetstream.Consumer // nil while it is not known
	tap      *tap               // nil while nothing is pulled
	poured   []*delivery        // out of the tap, and not taken yet
	full     time.Time          // since when no event can be taken; zero if some can
	taken    time.Time          // when the latest event was taken
	backlog  bool               // behind it there are more

	// What is in hand. A delivery is in one of the lists or with a group.
	hand    hand        // all that is not settled or handed back
	most    int         // that it may be, whoever it is for
	plain   []*delivery // those whose answer needs no look-up
	batch   *batch.Batcher[key, *delivery, notes]
	ready   [][]*item   // groups to look up as they stand
	later   []delayed   // items to look up again, soonest first
	extra   []*delivery // came after the tap was closed: they go back when it has ended
	surplus []*delivery // beyond the limit: the same, and they do not count

	refused refusedOnes

	repeats
	succession
	tide
	quarantine
	quotaWatch
	expiryWatch
	rangeWatch

	// How it is grouped.
	size   int         // openids that one call takes
	share  split.Share // of openids that are refused
	langs  bool        // some event asked for another language than the account's
	bucket *pace.Bucket
	window pace.Window
	stride pace.Stride

	preparing
	period period // ends when the lane stops or goes on hold
	halting
	notices <-chan struct{} // the board has news

	// Who works for it, and where they report. Every channel has room for all
	// who may send to it: nobody waits for the loop.
	calls    int            // groups being looked up
	settles  int            // chunks of plain answers being settled
	done     chan outcome   // from both
	binding  bool           // the durable is being looked for
	bound    chan rebinding //
	rebindAt time.Time      // when it is looked for again
	marking  bool           // the stream is being asked for its last sequence
	asked    chan struct{}  //
	marked   time.Time      // when it was asked last
	noting   bool           // somebody who works is being written down
	noted    chan struct{}  //
	notedAt  time.Time      // when that was begun
}

// Answers that need no look-up are published in chunks: more than one at once,
// which would wait for each round trip, and none larger than a group, since all of
// it is encoded before any is stored.
const (
	plainSettles = 4
	plainChunk   = wechat.MaxBatch
)

func newLoop(l *Lane, b binding, c contexts) *loop {
	now := time.Now()
	lp := &loop{
		Lane: l, c: c,
		batch:       batch.New[key, *delivery, notes](),
		size:        l.cfg.BatchSize,
		bucket:      pace.NewBucket(now, l.budget.early(now), earlyBurst),
		window:      pace.Window{Fixed: l.cfg.Fixed, Wait: l.cfg.Window, Max: l.cfg.WindowMax, Linger: linger},
		stride:      pace.NewStride(mostStoring, l.cfg.Concurrency),
		done:        make(chan outcome, l.cfg.Concurrency+plainSettles),
		bound:       make(chan rebinding, 1),
		asked:       make(chan struct{}, 1),
		noted:       make(chan struct{}, 1),
		quotaWatch:  quotaWatch{read: make(chan bool, 1), tell: make(chan struct{}, 1)},
		halting:     halting{announced: make(chan announced, 1), probed: make(chan claimed, 1)},
		notices:     l.board.subscribe(l.cfg.AppID),
		period:      newPeriod(c),
		timer:       time.NewTimer(0),
		repeats:     repeats{cleaned: make(chan []*delivery, 1)},
		tide:        tide{risen: make(chan uint64, 1)},
		quarantine:  quarantine{opened: make(chan []*delivery, 1)},
		expiryWatch: expiryWatch{dated: make(chan struct{}, 1)},
		rangeWatch:  newRangeWatch(l.task, now),
	}
	lp.bindTo(b)
	return lp
}

// run is the lane's life: it ends when the lane has stopped and nothing is in
// hand any more.
func (l *loop) run() {
	defer l.timer.Stop()
	defer func() { l.period.end() }()
	defer l.board.unsubscribe(l.cfg.AppID, l.notices)
	l.state.set(State{Phase: Running})
	stopped := l.c.stop.Done()
	l.noticed() // the account may be on hold since before
	l.rejudge(time.Now())
	for {
		now := time.Now()
		l.takePoured(now)
		l.dispatch(now)
		l.turnTap(now)
		if l.mayTake(now) {
			continue
		}
		l.askMark(now)
		l.watchExpiry(now)
		l.tellQuota(now)
		l.checkRange(now)
		l.stats.inHand.Store(int64(l.hand.n))
		if l.tap == nil && l.idle() && (l.stopping() || l.limit.reached() && l.hand.n == 0 || l.finished) {
			l.tellRest()
			return
		}
		l.timer.Reset(l.next(now).Sub(now))
		select {
		case chunk, ok := <-l.incoming(now):
			l.pour(chunk, ok)
		case o := <-awaited(l.calls+l.settles > 0, l.done):
			l.settled(o)
		case a := <-awaited(l.announcing, l.announced):
			l.told(a)
		case r := <-awaited(l.probing, l.probed):
			l.reprobed(r)
		case e := <-awaited(l.preparing.preparing, l.prepared):
			l.readied(e)
		case <-l.notices:
			l.noticed()
		case <-awaited(l.noting, l.noted):
			l.noting = false
		case ds := <-awaited(l.looking, l.cleaned):
			l.cleared(ds)
		case group := <-awaited(l.writing, l.opened):
			l.unseal(group)
		case may := <-awaited(l.rising, l.risen):
			l.risenTo(may)
		case ok := <-awaited(l.reading, l.read):
			l.quotaRead(ok)
		case <-awaited(l.telling, l.tell):
			l.telling = false
		case <-awaited(l.dating, l.dated):
			l.dating = false
		case <-l.freed:
		case there := <-awaited(l.checking, l.reached):
			l.checkedRange(there)
		case b := <-awaited(l.binding, l.bound):
			l.rebound(b)
		case <-awaited(l.marking, l.asked):
			l.marking = false
		case <-l.timer.C:
			l.tick(time.Now())
		case <-stopped:
			stopped = nil
			l.stop()
		}
	}
}

// awaited is c if somebody works who will report there, else nil: the loop waits
// once or twice for each event, and each channel that it waits for costs.
func awaited[T any](works bool, c <-chan T) <-chan T {
	if works {
		return c
	}
	return nil
}

// stopping reports whether nothing new may begin.
func (l *loop) stopping() bool { return l.c.stop.Err() != nil }

// resting reports whether the lane takes in no events.
func (l *loop) resting() bool { return l.held != nil || l.stopping() }

// idle reports whether no goroutine works for the lane.
func (l *loop) idle() bool {
	return l.calls == 0 && l.settles == 0 && !l.probing && !l.announcing && !l.binding && !l.marking && !l.noting && !l.dating && !l.looking && !l.rising && !l.writing && !l.reading && !l.telling && !l.checking
}

// settled takes a group's outcome.
func (l *loop) settled(o outcome) {
	if o.plain != nil {
		l.settles--
		if left := l.release(o.plain); len(left) > 0 { // the lane stops before all are settled
			l.plain = append(left, l.plain...)
		}
		l.rest()
		return
	}
	l.calls--
	l.room.leave(l.task != nil)
	if o.stored {
		l.stride.Stored(o.waited)
	}
	now := time.Now()
	l.share.Add(len(o.done)-o.refused, o.refused)
	for _, v := range o.convicted {
		l.refused.add(now, v.openid, v.why)
	}
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
		wait := loneRetry << max(0, it.State.lonely-1)
		if it.State.charge != nil {
			wait = proofWait
		}
		l.delay(now.Add(wait), it, true)
	}
	l.ready = append(l.ready, o.ready...)
	if o.halved > 0 && o.halved < l.size {
		l.size = o.halved
		l.log.Warn("WeChat takes no batch as large as it was; asking for fewer from now on", slog.Int("batch_size", l.size))
	}
	l.weighDoubt(now)
	l.noteKnown(now)
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
			l.left(d)
		}
		return d.settled
	})
}
