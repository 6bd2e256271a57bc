package wechat

import "time"

// How long the first host is left alone once it has failed. One call at a time
// tries it, and that call may have to wait for a time-out.
const (
	firstPause = 30 * time.Second
	lastPause  = 5 * time.Minute
)

// failover says which of several hosts a call goes to: the first one, or after
// a fault the next that has none, until the first answers again. It has no clock
// and makes no call; the zero value with n set begins at the first host.
type failover struct {
	n       int           // hosts
	host    int           // that calls go to
	turn    int           // counts the changes of host
	working int           // that answered last
	pause   time.Duration // of the first host
	due     time.Time     // when the first host is tried again
	back    time.Time     // when the first host was returned to
	probing bool          // a call is trying the first host
}

// choice is the host of one call.
type choice struct {
	host, turn int
	probe      bool
}

// verdict is what a call says of its host.
type verdict uint8

const (
	undecided verdict = iota // it was given up, or something in between refused it
	answered                 // by the service itself, if only with an errcode
	failed                   // no answer, or one that is not the service's
)

// choose takes the host of a call; its end has to be told.
func (f *failover) choose(now time.Time) choice {
	if f.host != 0 && !f.probing && !now.Before(f.due) {
		f.probing = true
		return choice{0, f.turn, true}
	}
	return choice{f.host, f.turn, false}
}

// ended takes the end of a call. It reports the host that answered until now
// when the service is found to answer on another.
func (f *failover) ended(c choice, v verdict, now time.Time) (from int, moved bool) {
	switch {
	case c.probe:
		f.probed(c, v, now)
	case c.turn != f.turn:
		return 0, false // calls in flight fail together, and one of them is enough
	case v == failed && f.n > 1:
		f.next(now)
	}
	if v != answered || c.host == f.working {
		return 0, false
	}
	from, f.working = f.working, c.host
	return from, true
}

func (f *failover) probed(c choice, v verdict, now time.Time) {
	f.probing = false
	switch {
	case f.host == 0: // all others have failed since
	case v == answered:
		f.host, f.back = 0, now
		f.turn++
	default:
		if v == failed {
			f.pause = min(2*f.pause, lastPause)
		}
		f.due = now.Add(f.pause)
	}
}

// next leaves the host. A first host that fails again soon after it was returned
// to is left alone for longer.
func (f *failover) next(now time.Time) {
	if f.host == 0 {
		if now.Sub(f.back) < lastPause {
			f.pause = min(2*f.pause, lastPause)
		} else {
			f.pause = firstPause
		}
		f.due = now.Add(f.pause)
	}
	f.host = (f.host + 1) % f.n
	f.turn++
}
