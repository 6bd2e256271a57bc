package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

const (
	// strangerCalls is how many calls an account gets at once of which nobody
	// has worked yet: with the wrong secret, or the wrong events, all are lost.
	strangerCalls = 2
	// strangers is how many people of a refused group are asked for alone
	// before the account is taken for the wrong one. A list in which one in ten
	// is bad has five bad ones in a row once in a hundred thousand times.
	strangers = 5
)

// concurrency is how many calls may be in flight.
func (l *loop) concurrency() int {
	if l.proof.known() == "" {
		return min(strangerCalls, l.cfg.Concurrency)
	}
	return l.cfg.Concurrency
}

// enter stands between a refused group and its splitting while nobody of the
// account has worked: it may be the wrong token, and then every split is in
// vain. One group of one replica at a time is enough to find out. strange is
// after how many refusals more to ask for a few people alone, 0 for never.
func (l *Lane) enter(c contexts, o *outcome) (strange int, leave func(), ok bool) {
	if latest, _, _ := l.proof.standing(); latest > 0 {
		return 0, func() {}, true
	}
	if leave, ok = l.scout(c); !ok {
		return 0, nil, false
	}
	proven, err := l.prove(c, 0)
	switch e := failure(err); {
	case proven:
		return 0, leave, true
	case err == nil: // nobody is known
		return strangeAfter, leave, true
	case e != nil:
		o.hold = l.holdFor(e)
	}
	leave()
	return 0, nil, false
}

// strangeAfter is how many halves are split off before strangers are asked for.
// By then one is answered more often than not, if anybody is; and if it is a
// stranger, the last refusal has its proof beforehand, and is not repeated.
const strangeAfter = 2

// acquainted reports whether somebody of the account works.
func (l *Lane) acquainted(c contexts, o *outcome) bool {
	if latest, _, _ := l.proof.standing(); latest > 0 {
		return true
	}
	proven, err := l.acquaint(c, o)
	if e := failure(err); e != nil && o.hold == nil {
		o.hold = l.holdFor(e)
	}
	return proven
}

// scouting is how long one replica has to find out whether the account works
// at all, before another tries too.
const scouting = time.Minute

// scout waits until it is this group's turn to find out whether the account
// works: of one group at a time, of all replicas that share a board. There is
// no turn to wait for once somebody is known to work, nor without a board.
func (l *Lane) scout(c contexts) (release func(), ok bool) {
	select {
	case l.scouting <- struct{}{}:
	case <-c.stop.Done():
		return nil, false
	}
	key := kindScout + "." + l.cfg.AppID
	for l.board != nil && len(l.knownGood()) == 0 {
		n := l.board.get(key)
		if n.value == nil || time.Since(n.written) > scouting {
			at := n.rev
			if n.value == nil {
				at = 0
			}
			rev, err := l.board.put(c.abort, key, []byte(l.board.replica), at)
			if err == nil {
				return func() {
					_ = l.board.remove(c.abort, key, rev) // if it fails the others wait until it is old
					<-l.scouting
				}, true
			}
			if err != errOutrun {
				break // nobody else will hear of it: go on alone
			}
		}
		if !sleep(c.stop, scoutPause) {
			<-l.scouting
			return nil, false
		}
	}
	return func() { <-l.scouting }, true
}

// scoutPause is the wait before a replica looks again whether it is its turn.
const scoutPause = 100 * time.Millisecond

// acquaint asks for a few of those whom a split has left unknown, each alone,
// until one of them is answered. If none is, that takes far fewer calls than
// splitting group after group, and the account works for nobody.
func (l *Lane) acquaint(c contexts, o *outcome) (proven bool, failed error) {
	for n := range min(strangers, len(o.back)) {
		i := n + int(l.rand()*float64(len(o.back)-n))
		o.back[n], o.back[i] = o.back[i], o.back[n] // not again
		alone := []*item{o.back[n]}
		users, began, err := l.batchGet(c, alone)
		switch {
		case err == nil:
			o.back = slices.Delete(o.back, n, n+1)
			l.finish(c, alone, users, began, o)
			return true, nil
		case !refused(err):
			return false, err
		}
		failed = err
	}
	if failed != nil {
		l.proof.lose(failed)
		o.hold = l.holdFor(failure(failed))
		o.hold.Detail, o.hold.Hint = l.whose(c)
	}
	return false, failed
}

// whose asks WeChat for somebody who follows the account of the token, to say
// more of a hold for which nobody could be found who works. It cannot tell bad
// openids from a wrong account, since with the token of another account it
// names that one's people. But it tells both from a service that refuses all.
// So nothing is concluded from it but words, and it counts as nobody's proof.
func (l *Lane) whose(c contexts) (detail, hint string) {
	detail, hint = "every openid asked so far is refused", hintNobodyWorked
	page, err := l.wechat.Followers(c.abort, "") // which has a quota of its own
	if err != nil || len(page.OpenIDs) == 0 {
		return detail, hint
	}
	err = l.send(c, 1, func(ctx context.Context, _ time.Time) error {
		_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: page.OpenIDs[0], Lang: l.cfg.Lang}})
		return err
	})
	switch {
	case err == nil:
		return "every openid asked so far is refused, but a follower of the token's account is answered", hintOthersWork
	case refused(err):
		return "every openid is refused, even of somebody whom user/get lists as a follower", hintNobodyAtAll
	}
	return detail, hint
}
