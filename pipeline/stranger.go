package pipeline

import "slices"

const (
	// strangerCalls is how many calls an account gets at once of which nobody
	// has worked yet: with the wrong secret, or the wrong events, all are lost.
	strangerCalls = 4
	// strangers is how many people of a refused group are asked for alone
	// before the account is taken for the wrong one. A list in which one in a
	// hundred is bad has three bad ones in a row once in a million times.
	strangers = 3
)

// concurrency is how many calls may be in flight.
func (l *loop) concurrency() int {
	if l.proof.known() == "" {
		return min(strangerCalls, l.cfg.Concurrency)
	}
	return l.cfg.Concurrency
}

// acquaint finds out whether the account works at all, after a group was split
// down to one person and nobody was answered on the way. A few of those whom
// the split left unknown are asked alone, which takes far fewer calls than
// splitting group after group. If none of them is answered either, the account
// works for nobody.
func (l *Lane) acquaint(c contexts, o *outcome) (proven bool, failed error) {
	for n := range min(strangers, len(o.back)) {
		i := n + int(l.rand()*float64(len(o.back)-n))
		alone := []*item{o.back[i]}
		users, began, err := l.batchGet(c, alone)
		switch {
		case err == nil:
			o.back = slices.Delete(o.back, i, i+1)
			l.finish(c, alone, users, began, o)
			return true, nil
		case !refused(err):
			return false, err
		}
		o.back[n], o.back[i] = o.back[i], o.back[n] // not again
		failed = err
	}
	return false, failed
}
