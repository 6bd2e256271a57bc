package pipeline

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/batch"
	"github.com/wxenrich/wxenrich/pipeline/internal/match"
	"github.com/wxenrich/wxenrich/wechat"
)

// key is what is looked up: a person, in a language.
type key struct{ openid, lang string }

// item is a person to look up and the deliveries that wait for it.
type item = batch.Item[key, *delivery, notes]

// notes is what the lane has learned about a person on the way to an answer.
type notes struct {
	calls     int  // calls about this person so far
	unusable  int  // of those, answered without a usable row
	rechecked bool // seemed not to follow, and was asked again

	refused time.Time // when it was first refused alone
}

// unusableLimit is how many batches may fail to give a usable row before the
// person is asked for alone; as often again, and there is no answer.
const unusableLimit = 3

// strangeLimit is how many groups may fail with a code that the table does not
// know, and none succeed between, before it is taken for the account's.
const strangeLimit = 3

// outcome is what became of a group. Each of its items is in exactly one list.
type outcome struct {
	done  []*item   // answered, as far as their deliveries are settled
	back  []*item   // no answer yet: into the next batch
	later []*item   // ask again after Config.Recheck
	ready [][]*item // ask again as they stand
	doubt []*item   // refused, but nothing proves that it is not everybody

	plain []*delivery // answered without a look-up

	hold   *Hold // the account is unable; nil if it is fine
	halved int   // the batch size that WeChat seems to take; 0 if not in question
}

// work looks up one group and settles what gets an answer. It runs on its own
// goroutine and owns the items until the loop has its outcome.
func (l *Lane) work(c contexts, items []*item) (o outcome) {
	users, began, err := l.batchGet(c, items)
	if err == nil {
		l.finish(c, items, users, began, &o)
		return o
	}
	l.fail(c, items, began, err, &o)
	return o
}

// fail reacts to a look-up that has failed for good.
func (l *Lane) fail(c contexts, items []*item, began time.Time, err error, o *outcome) {
	e := failure(err)
	switch {
	case e == nil: // errStopped
		o.back = append(o.back, items...)
	case e.Class == wechat.BadOpenID, e.Class == wechat.NotFollowing:
		l.narrow(c, items, began, err, o)
	case e.Class == wechat.BatchSize && len(items) > 1:
		o.halved = (len(items) + 1) / 2
		o.ready = append(o.ready, halves(items)...)
	case e.Class == wechat.Transient && len(items) > 1: // time-outs
		o.ready = append(o.ready, halves(items)...)
	case e.Class == wechat.Unknown && l.proof.strange() < strangeLimit:
		l.isolate(c, items, began, err, o)
	default:
		o.back = append(o.back, items...)
		o.hold = l.holdFor(e)
	}
}

// isolate handles a code that the table does not know. It may be the account's
// or one person's, so the group is halved until one person is left who fails
// while others do not.
func (l *Lane) isolate(c contexts, items []*item, began time.Time, err error, o *outcome) {
	if len(items) > 1 {
		o.ready = append(o.ready, halves(items)...)
		return
	}
	if !l.proof.since(began) {
		o.back = append(o.back, items...)
		return
	}
	l.giveUp(c, items[0], causeOf(events.Exhausted, err, items[0].State.calls), o)
}

// batchGet asks for all items in one call. It also returns when the call that
// was answered began: an answer is as old as that.
func (l *Lane) batchGet(c contexts, items []*item) (users []wechat.User, began time.Time, err error) {
	queries := make([]wechat.Query, len(items))
	for i, it := range items {
		queries[i] = wechat.Query{OpenID: it.Key.openid, Lang: it.Key.lang}
	}
	err = l.attempt(c, len(items), func(ctx context.Context) (err error) {
		began = time.Now()
		for _, it := range items {
			it.State.calls++
		}
		users, err = l.wechat.BatchGet(ctx, queries)
		return err
	})
	return users, began, err
}

// finish settles the items that the answer answers, and sorts out the others.
func (l *Lane) finish(c contexts, items []*item, users []wechat.User, began time.Time, o *outcome) {
	asked := make([]string, len(items))
	for i, it := range items {
		asked[i] = it.Key.openid
	}
	rows := make([]match.Row, len(users))
	for i := range users {
		rows[i] = match.Row{OpenID: users[i].OpenID, UnionID: users[i].UnionID}
	}
	found, doubt := match.Match(asked, rows)
	if doubt != match.None {
		l.doubtful(c, items, doubt, o)
		return
	}
	answers := make([]answer, 0, len(items))
	settled := make([]*item, 0, len(items))
	for i, it := range items {
		if found[i] < 0 {
			l.stats.missing.Add(1)
			l.unanswered(c, it, o)
			continue
		}
		u := &users[found[i]]
		if u.Subscribe == 0 && l.tooFresh(it) {
			it.State.rechecked = true
			o.later = append(o.later, it)
			continue
		}
		if u.Subscribe == 1 {
			l.proof.good(u.OpenID)
		}
		for _, d := range it.Waiters {
			answers = append(answers, l.record(d, u, events.FromBatch, began))
		}
		settled = append(settled, it)
	}
	l.settle(c, answers)
	o.done = append(o.done, settled...)
}

// doubtful handles a batch that cannot be believed: none of its rows goes out.
// Its people are asked again in other company, because it is the neighbours
// that make WeChat mix up rows.
func (l *Lane) doubtful(c contexts, items []*item, why match.Doubt, o *outcome) {
	l.stats.doubted(why)
	l.log.Warn("a batch answer contradicts itself; it is asked again in other groups", slog.String("doubt", string(why)), slog.Int("openids", len(items)))
	var even, odd []*item
	for i, it := range items {
		it.State.unusable++
		switch {
		case it.State.unusable >= unusableLimit || len(items) == 1:
			l.single(c, it, o)
		case i%2 == 0:
			even = append(even, it)
		default:
			odd = append(odd, it)
		}
	}
	o.back = append(o.back, append(even, odd...)...)
}

// unanswered handles a person whose row is missing: asked again with others,
// and in the end alone.
func (l *Lane) unanswered(c contexts, it *item, o *outcome) {
	it.State.unusable++
	if it.State.unusable >= unusableLimit {
		l.single(c, it, o)
		return
	}
	o.back = append(o.back, it)
}

// single asks for one person through user/info, which has no neighbours to be
// mixed up with.
func (l *Lane) single(c contexts, it *item, o *outcome) {
	var user wechat.User
	var began time.Time
	err := l.attempt(c, 1, func(ctx context.Context) (err error) {
		began = time.Now()
		it.State.calls++
		user, err = l.wechat.UserInfo(ctx, wechat.Query{OpenID: it.Key.openid, Lang: it.Key.lang})
		return err
	})
	switch {
	case err != nil:
		l.fail(c, []*item{it}, began, err, o)
	case user.OpenID == it.Key.openid:
		l.answerAll(c, it, &user, events.FromSingle, began, o)
	default:
		it.State.unusable++
		if it.State.unusable < 2*unusableLimit {
			o.back = append(o.back, it)
			return
		}
		l.giveUp(c, it, &cause{reason: events.Unresolved, detail: "every answer was for somebody else", attempts: it.State.calls}, o)
	}
}

// answerAll answers all who wait for a person with a record.
func (l *Lane) answerAll(c contexts, it *item, u *wechat.User, source string, began time.Time, o *outcome) {
	answers := make([]answer, 0, len(it.Waiters))
	for _, d := range it.Waiters {
		answers = append(answers, l.record(d, u, source, began))
	}
	l.settle(c, answers)
	o.done = append(o.done, it)
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

// fresh is the age below which a follower may not be visible yet.
const fresh = time.Minute

// tooFresh reports whether "does not follow" may only mean "not visible yet":
// somebody followed a moment ago, and has not been asked for again.
func (l *Lane) tooFresh(it *item) bool {
	if l.cfg.Recheck == 0 || it.State.rechecked {
		return false
	}
	for _, d := range it.Waiters {
		if strings.EqualFold(d.event.Type, "subscribe") && time.Since(d.event.Source.Time) < fresh {
			return true
		}
	}
	return false
}

func halves(items []*item) [][]*item {
	half := len(items) / 2
	return [][]*item{items[:half], items[half:]}
}
