package pipeline

import (
	"slices"
	"sync"
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

// concurrency is how many groups may be looked up at once.
func (l *loop) concurrency() int {
	if l.proof.known() == "" {
		return min(strangerCalls, l.cfg.Concurrency)
	}
	return min(l.throttle.atOnce(), l.stride.Limit())
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
// One of two is answered as a rule, if anybody is. A second half would make
// that three of four, but with the wrong token it is one call more that has to
// be waited for until that is known.
const strangeAfter = 1

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
// splitting group after group, and the account works for nobody. The first is
// asked for before the others, who are asked for at the same time: nearly
// always one of two is enough, and else every second of waiting is another in
// which nobody knows that the account is the wrong one.
func (l *Lane) acquaint(c contexts, o *outcome) (proven bool, failed error) {
	people := l.anyOf(o.back, strangers)
	if len(people) == 0 {
		return false, nil
	}
	words := l.whose(c)
	defer words.end()
	for n := 1; len(people) > 0; n = min(l.cfg.Concurrency, len(people)) {
		if proven, failed = l.introduce(c, people[:n], o); proven || !refused(failed) {
			return proven, failed
		}
		people = people[n:]
	}
	l.proof.lose(failed)
	o.hold = l.foreign(failed, words)
	return false, failed
}

// anyOf is a random choice of n items, or all if they are fewer.
func (l *Lane) anyOf(items []*item, n int) []*item {
	some := slices.Clone(items)
	n = min(n, len(some))
	for i := range n {
		j := i + int(l.rand()*float64(len(some)-i))
		some[i], some[j] = some[j], some[i]
	}
	return some[:n]
}

// introduce asks for people who are in o.back, each alone and all at once, and
// answers those who are answered. If nobody is it returns why not.
func (l *Lane) introduce(c contexts, people []*item, o *outcome) (proven bool, failed error) {
	type reply struct {
		users []wechat.User
		began moment
		err   error
	}
	replies := make([]reply, len(people))
	var asking sync.WaitGroup
	for i := range people {
		asking.Go(func() {
			r := &replies[i]
			r.users, r.began, r.err = l.batchGet(c, people[i:i+1])
		})
	}
	asking.Wait()
	for i, r := range replies {
		switch {
		case r.err == nil:
			proven = true
			o.back = slices.DeleteFunc(o.back, func(it *item) bool { return it == people[i] })
			l.finish(c, people[i:i+1], r.users, r.began, o)
		case failed == nil || refused(failed): // what is the account's own goes before a refusal
			failed = r.err
		}
	}
	if proven {
		return true, nil
	}
	return false, failed
}
