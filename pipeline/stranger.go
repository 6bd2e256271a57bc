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

// reassure stands between a refused group and its splitting while nobody of
// the account has worked: it may be the wrong token, and then every split is in
// vain. One group of one replica is enough to find out, by asking for a few of
// its people alone, which takes far fewer calls than splitting it. It returns
// those who are left to be split.
func (l *Lane) reassure(c contexts, items []*item, began moment, o *outcome) []*item {
	if latest, _, _ := l.proof.standing(); latest > 0 {
		return items
	}
	release, ok := l.scout(c)
	if !ok {
		o.back = append(o.back, items...)
		return nil
	}
	defer release()
	proven, err := l.prove(c, 0)
	if !proven && err == nil { // nobody is known
		if len(items) == 1 { // and nobody else is here to be asked
			items[0].State.doubted = began.asked
			o.doubt = append(o.doubt, items...)
			return nil
		}
		items, proven, err = l.acquaint(c, items, o)
		if refused(err) {
			l.proof.lose(err)
			h := l.holdFor(failure(err))
			h.Detail, h.Hint = l.whose(c)
			o.hold = h
		}
	}
	if proven {
		return items
	}
	o.back = append(o.back, items...)
	if e := failure(err); e != nil && o.hold == nil {
		o.hold = l.holdFor(e)
	}
	return nil
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

// acquaint asks for a few people alone, until one of them is answered. It
// returns the others, and, if nobody was answered, why.
func (l *Lane) acquaint(c contexts, people []*item, o *outcome) (left []*item, proven bool, failed error) {
	for n := range min(strangers, len(people)) {
		i := n + int(l.rand()*float64(len(people)-n))
		people[n], people[i] = people[i], people[n]
		alone := []*item{people[n]}
		users, began, err := l.batchGet(c, alone)
		switch {
		case err == nil:
			people = slices.Delete(people, n, n+1)
			l.finish(c, alone, users, began, o)
			return people, true, nil
		case !refused(err):
			return people, false, err
		}
		failed = err
	}
	return people, false, failed
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
