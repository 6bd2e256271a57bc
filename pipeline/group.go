package pipeline

import (
	"context"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/batch"
	"github.com/wxenrich/wxenrich/wechat"
)

// key is what is looked up: a person, in a language.
type key struct{ openid, lang string }

// item is a person to look up and the deliveries that wait for it.
type item = batch.Item[key, *delivery, notes]

// notes is what the lane has learned about a person on the way to an answer.
type notes struct {
	calls     int // calls about this person so far
	unusable  int // of those, answered without a row to rely on
	votes     []vote
	alone     *vote // what user/info said at the same time, if that is not what the batch says
	rechecked bool  // seemed not to follow, and was asked again

	doubted uint64   // how many calls had begun when a call with it first led to it alone
	lonely  int      // refused alone so often while nobody could tell whose fault it is
	charge  *charge  // refused alone, and only the proof of it is missing
	strange *trouble // since a call with it first failed for good, with a code that names nobody
}

// trouble is how things stood when a person's calls began to fail.
type trouble struct {
	calls int // about the person
	all   tally
}

// strangeLimit is how many groups may fail with a code that the table does not
// know, and none succeed between, before it is taken for the account's.
const strangeLimit = 3

// outcome is what became of a group. Each of its items is in exactly one list.
type outcome struct {
	done  []*item   // answered, as far as their deliveries are settled
	back  []*item   // no answer yet: into the next batch
	later []*item   // ask again after Config.Recheck
	ready [][]*item // ask again as they stand
	doubt []*item   // refused, but nothing proves yet that it is not everybody

	plain []*delivery // answered without a look-up

	convicted []verdict // of done: refused for good
	refused   int       // of done: how many made a call fail

	stored bool // rows of an answer were
	waited bool // for others to be, and not for a moment only

	hold   *Hold // the account is unable; nil if it is fine
	halved int   // the batch size that WeChat seems to take; 0 if not in question
}

// verdict is why somebody is refused.
type verdict struct {
	openid string
	why    *cause
}

// work looks up one group and settles what gets an answer. It runs on its own
// goroutine and owns the items until the loop has its outcome.
func (l *Lane) work(c contexts, items []*item) (o outcome) {
	defer l.dying(func() []*delivery { return waiters(items) })
	if c.begun != nil {
		defer c.begun()
	}
	poison(items)
	c, span := l.tracing.lookUp(c, items)
	defer func(began time.Time) {
		o.say(span)
		span.End()
		l.logBatch(c.abort, len(items), &o, time.Since(began))
	}(time.Now())
	if items[0].State.charge != nil { // alone, as all who are charged
		l.try(c, items[0], &o)
		return o
	}
	first := c
	c.last = false // whatever follows is a luxury
	s := l.draw(c, items)
	users, began, err := l.batchGet(first, items)
	defer func() { wechat.Recycle(users) }()
	if err == nil {
		fault("looked-up")
		l.compareInTime(s, users)
		l.finish(c, items, users, began, &o)
	} else {
		l.fail(c, items, began, err, &o)
	}
	l.compare(s, users)
	return o
}

// fail reacts to a look-up that has failed for good.
func (l *Lane) fail(c contexts, items []*item, began moment, err error, o *outcome) {
	e := failure(err)
	switch {
	case e == nil: // errStopped
		o.back = append(o.back, items...)
	case e.Class == wechat.BadOpenID, e.Class == wechat.NotFollowing:
		l.narrow(c, items, began, err, o)
	case e.Class == wechat.BatchSize && len(items) > (l.cfg.BatchSize+1)/2:
		o.halved = (len(items) + 1) / 2
		o.ready = append(o.ready, halves(items)...)
	case e.Class == wechat.Transient, e.Class == wechat.Unknown && e.Code != 0 && l.proof.strange() < strangeLimit:
		l.isolate(c, items, err, o)
	default:
		o.back = append(o.back, items...)
		o.hold = l.holdFor(e)
	}
}

// isolate handles a group that keeps failing without a word about whom it is:
// by time-outs, which grow with a batch, or with a code that may be the
// account's or one person's. The group is halved until one person is left who
// fails while others do not.
func (l *Lane) isolate(c contexts, items []*item, err error, o *outcome) {
	for _, it := range items {
		if it.State.strange == nil {
			it.State.strange = &trouble{it.State.calls, l.proof.so()}
		}
	}
	switch it := items[0]; {
	case len(items) > 1:
		o.ready = append(o.ready, halves(items)...)
	default:
		since := it.State.strange
		switch others := l.proof.others(since.all, it.State.calls-since.calls); {
		case failure(err).Class == wechat.Transient, others.well(manyOthers): // the former was weighed before
			l.giveUp(c, it, causeOf(events.Exhausted, err, it.State.calls), o)
			return
		case others.ill(manyOthers):
			it.State.strange = nil // weigh it anew
		}
		o.back = append(o.back, it)
	}
}

// A moment is when a call began, in the terms of both clocks and streams: its
// answer is as old as that.
type moment struct {
	time time.Time
	upTo uint64 // every event up to this sequence was stored before
	life uint64 // of the stream

	asked, answered uint64         // see proof.numbers
	token           wechat.TokenID // that the call was made with
}

func (l *Lane) now() moment {
	life, seq := l.mark.get()
	asked, answered := l.proof.numbers()
	return moment{life: life, upTo: seq, asked: asked, answered: answered, time: time.Now()}
}

// batchGet asks for all items in one call. It also returns when the call that
// was answered began.
func (l *Lane) batchGet(c contexts, items []*item) (users []wechat.User, began moment, err error) {
	queries := make([]wechat.Query, len(items))
	for i, it := range items {
		queries[i] = wechat.Query{OpenID: it.Key.openid, Lang: it.Key.lang}
	}
	err = l.attempt(c, len(items), func(ctx context.Context) (err error) {
		began = l.now()
		for _, it := range items {
			it.State.calls++
		}
		users, err = l.wechat.BatchGet(ctx, queries)
		began.token = wechat.NotedToken(ctx)
		return err
	})
	return users, began, err
}

// answerAll answers all who wait for a person with a record.
func (l *Lane) answerAll(c contexts, it *item, u *wechat.User, source, marker string, began moment, o *outcome) {
	answers := make([]answer, 0, len(it.Waiters))
	for _, d := range it.Waiters {
		answers = append(answers, l.record(d, u, source, marker, began.time))
	}
	l.settle(c, answers)
	l.remember(it, u, began)
	o.done = append(o.done, it)
}

// remember keeps an answer for later events. It does so after the answer is
// settled: records of one person leave in the order of their look-ups.
func (l *Lane) remember(it *item, u *wechat.User, began moment) {
	l.recent.put(recentKey{l.cfg.AppID, l.task.pool(), began.life, it.Key}, u, began.time, began.upTo)
}

// giveUp answers all who wait for a person with a dead letter.
func (l *Lane) giveUp(c contexts, it *item, why *cause, o *outcome) {
	answers := make([]answer, 0, len(it.Waiters))
	for _, d := range it.Waiters {
		answers = append(answers, l.deadLetter(d, why, 0))
	}
	l.settle(c, answers)
	o.done = append(o.done, it)
}

func halves(items []*item) [][]*item {
	half := len(items) / 2
	return [][]*item{items[:half], items[half:]}
}
