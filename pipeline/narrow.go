package pipeline

import "github.com/wxenrich/wxenrich/wechat"

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
	n := &narrowing{Lane: l, c: c, o: o, strange: strange, last: began, err: err}
	it, found := find(n, items)
	if !found {
		return
	}
	if it.State.doubted == 0 {
		it.State.doubted = began.asked
	}
	if charges(n, it, it.State.doubted) {
		calls, _ := l.proof.numbers()
		it.State.charge = &charge{err: n.err, asked: n.last, refused: calls}
		o.doubt = append(o.doubt, it)
	}
}

// A narrowing is the [seeker] that asks WeChat.
type narrowing struct {
	*Lane
	c       contexts
	o       *outcome
	strange int    // see enter
	last    moment // when the latest call that was refused began
	err     error  // of that call
}

func (n *narrowing) ask(items []*item) reply {
	users, began, err := n.batchGet(n.c, items)
	switch {
	case err == nil:
		n.finish(n.c, items, users, began, n.o)
		return replyAnswered
	case refused(err):
		n.last, n.err = began, err
		return replyRefused
	}
	n.fail(n.c, items, began, err, n.o)
	return replyNone
}

func (n *narrowing) works() bool { return n.c.stop.Err() == nil && n.heard(n.c, n.o) }

func (n *narrowing) give(items []*item) { n.o.back = append(n.o.back, items...) }

func (n *narrowing) split() bool {
	fault("splitting")
	n.strange--
	return n.strange != 0 || n.acquainted(n.c, n.o)
}

func (n *narrowing) latest() uint64 { return n.last.answered }

func (n *narrowing) prove(it *item, after uint64) bool {
	proven, failed := n.Lane.prove(n.c, after)
	if !proven && failed == nil {
		proven, failed = n.acquaint(n.c, n.o)
	}
	if proven {
		return true
	}
	if failed == nil { // nobody else is here to be asked
		n.leaveAlone(n.c, it, n.err, n.o)
		return false
	}
	it.State.doubted = 0 // it stops, or cannot be told now
	n.o.back = append(n.o.back, it)
	if e := failure(failed); e != nil && n.o.hold == nil {
		n.o.hold = n.holdFor(e)
	}
	return false
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
