package pipeline

import (
	"github.com/wxenrich/wxenrich/pipeline/internal/split"
	"github.com/wxenrich/wxenrich/wechat"
)

// narrow finds out who made WeChat refuse a group (40003 and its kin fail the
// whole call and name nobody). The others come out as they are cleared; those
// of whom nothing is known go back and join another batch, where they cost
// nothing extra. So one refused call of a hundred leads to eight more at most,
// however many in it are bad: whoever else is waits for the next batch.
func (l *Lane) narrow(c contexts, items []*item, began moment, err error, o *outcome) {
	strange, leave, ok := l.enter(c, o)
	if !ok {
		o.back = append(o.back, items...)
		return
	}
	defer leave()
	s, last := split.New(items), began
	for ask := s.Ask(); ask != nil; ask = s.Ask() {
		if c.stop.Err() != nil || !l.heard(c, o) {
			o.back = append(o.back, s.Rest()...)
			return
		}
		users, askedAt, refusal := l.batchGet(c, ask)
		switch {
		case refusal == nil:
			s.Answered()
			l.finish(c, ask, users, askedAt, o)
		case refused(refusal):
			err, last = refusal, askedAt
			o.back = append(o.back, s.Refused()...)
			fault("splitting")
			if strange--; strange == 0 && !l.acquainted(c, o) {
				o.back = append(o.back, s.Rest()...)
				return
			}
		default:
			o.back = append(o.back, s.Rest()[len(ask):]...)
			l.fail(c, ask, askedAt, refusal, o)
			return
		}
	}
	leaf, inferred := s.Leaf()
	if inferred {
		users, askedAt, refusal := l.batchGet(c, []*item{leaf})
		switch {
		case refusal == nil:
			l.finish(c, []*item{leaf}, users, askedAt, o)
			return
		case !refused(refusal):
			l.fail(c, []*item{leaf}, askedAt, refusal, o)
			return
		}
		err, last = refusal, askedAt
	}
	l.leaf(c, leaf, began, last, err, o)
}

// leaf handles a person who was refused alone, last in the call that began
// then. It is theirs, and not the account's, only if the account answered
// somebody on both sides of that call: a token may be set right, or wrong, in
// the middle of a splitting. As a rule one of the others was answered on the
// way here, and the batch that the rest of them joins answers afterwards.
func (l *Lane) leaf(c contexts, it *item, began, last moment, err error, o *outcome) {
	if it.State.doubted == 0 {
		it.State.doubted = began.asked
	}
	if last.answered <= it.State.doubted {
		proven, failed := l.prove(c, it.State.doubted)
		if !proven && failed == nil {
			proven, failed = l.acquaint(c, o)
		}
		switch e := failure(failed); {
		case proven:
		case failed == nil: // nobody else is here to be asked
			l.leaveAlone(c, it, err, o)
			return
		default: // it stops, or cannot be told now
			it.State.doubted = 0
			o.back = append(o.back, it)
			if e != nil && o.hold == nil {
				o.hold = l.holdFor(e)
			}
			return
		}
		alone := []*item{it}
		users, askedAt, refusal := l.batchGet(c, alone)
		switch {
		case refusal == nil:
			l.finish(c, alone, users, askedAt, o)
			return
		case !refused(refusal):
			l.fail(c, alone, askedAt, refusal, o)
			return
		}
		last, err = askedAt, refusal
	}
	calls, _ := l.proof.numbers()
	it.State.charge = &charge{err: err, asked: last, refused: calls}
	o.doubt = append(o.doubt, it)
}

// loneTries is how often somebody is refused, while nobody of the account has
// worked and nobody else waits, until it is taken for the account's.
const loneTries = 3

// leaveAlone puts off a person who was refused while nobody else is here to tell
// whose fault that is. More events may tell, but not for ever: a first event
// with the wrong token would be asked for day after day, and nobody would hear.
func (l *Lane) leaveAlone(c contexts, it *item, err error, o *outcome) {
	if it.State.lonely++; it.State.lonely < loneTries {
		o.doubt = append(o.doubt, it)
		return
	}
	words := l.whose(c)
	defer words.end()
	o.back, o.hold = append(o.back, it), l.foreign(err, words)
}

// refused reports whether somebody in the call was refused.
func refused(err error) bool {
	e := failure(err)
	return e != nil && (e.Class == wechat.BadOpenID || e.Class == wechat.NotFollowing)
}

// notFollowing is the row of somebody whom WeChat reports by an error code
// (43004) instead of one.
func notFollowing(openid string) *wechat.User {
	return &wechat.User{OpenID: openid, Raw: []byte(`{"subscribe":0,"openid":"` + openid + `"}`)}
}
