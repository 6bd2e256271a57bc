package pipeline

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
	"github.com/wxenrich/wxenrich/wechat"
)

// Directory is what a lane needs of WeChat; *wechat.Client is one. Each call
// is one attempt with a classified error. A user's Raw is a JSON object, all UTF-8
// and of no more than 64 levels.
type Directory interface {
	BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error)
	UserInfo(ctx context.Context, q wechat.Query) (wechat.User, error)
	Quota(ctx context.Context, path string) (wechat.Quota, error)
	Followers(ctx context.Context, next string) (wechat.Page, error)
}

var _ Directory = (*wechat.Client)(nil)

// errStopped ends a look-up because the lane stops or goes on hold: nothing is
// known of its items.
var errStopped = errors.New("lane stopped")

// Limits on one look-up. They bound calls, not time: a transient fault is
// waited out for as long as it lasts.
const (
	staleLimit   = 6 // token refused in a row: somebody else keeps replacing it
	unknownLimit = 5 // attempts at a code that the table does not know
	statusLimit  = 3 // attempts at an HTTP status that means nothing here, such as 403
	timeoutLimit = 2 // time-outs before a batch is halved: time grows with its size

	// Attempts at a passing error (-1) before a batch is halved, or one person
	// given up, provided that others fare well in the meantime. The latter
	// takes more: at one failure in twenty calls, five in a row happen.
	busyLimit     = 5
	busyLimitLone = 12
)

// attempt calls op, which asks for n people, until it is answered or has failed
// in a way that repeating it does not mend. It is the one place that retries:
// with full jitter, never sooner than the server wishes, and not once the lane
// stops. It returns nil, errStopped, or the error that is final.
func (l *Lane) attempt(c contexts, n int, op func(context.Context) error) error {
	var stale, unknown, timeouts, busy, own int
	since := l.proof.so()
	enough, busyMost := fewOthers, busyLimit
	if n == 1 {
		enough, busyMost = manyOthers, busyLimitLone
	}
	wait := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand)

	once := func() error {
		err := l.call(c, n, op)
		if e := failure(err); e != nil && e.Class == wechat.StaleToken && stale == 0 {
			stale++ // it was right until now: with a new one the call is as good as any
			retried(c.abort, err, 0)
			err = l.call(c, n, op)
		}
		if namesNobody(err) {
			own++
		}
		if e := failure(err); e != nil && e.Class == wechat.Transient {
			l.state.unheard(err)
		} else if e != nil || err == nil {
			l.state.heard()
		}
		switch e := failure(err); {
		case err == nil:
			return nil
		case e == nil || c.abort.Err() != nil:
			return backoff.Permanent(errStopped)
		case e.Class == wechat.Transient:
			if isTimeout(err) && e.Op == opBatchGet { // one of the token's endpoint says nothing of the batch
				timeouts++
			}
			if timeouts >= timeoutLimit && n > 1 {
				return backoff.Permanent(err)
			}
			if e.Code != 0 {
				busy++
			}
			if busy >= busyMost {
				switch others := l.proof.others(since, own); {
				case others.well(enough):
					return backoff.Permanent(err)
				case others.ill(enough):
					since, busy, own = l.proof.so(), 0, 0
				}
			}
			wait.wish = e.After
		case e.Class == wechat.MinuteLimit: // no call begins before the next minute anyway
		case e.Class == wechat.StaleToken:
			if stale++; stale > staleLimit {
				return backoff.Permanent(err)
			}
		case e.Class == wechat.Unknown:
			unknown++
			if e.Code == 0 && unknown >= statusLimit {
				return backoff.Permanent(err)
			}
			if unknown >= unknownLimit {
				others := l.proof.others(since, own)
				if others.answered == 0 || !others.ill(enough) {
					return backoff.Permanent(err)
				}
				since, unknown, own = l.proof.so(), 0, 0
			}
		default:
			return backoff.Permanent(err)
		}
		return err
	}
	err := backoff.RetryNotify(once, backoff.WithContext(wait, c.stop), func(err error, wait time.Duration) {
		l.stats.retries.Add(1)
		retried(c.abort, err, wait)
	})
	if err != nil && failure(err) == nil {
		return errStopped // the wait was cut short
	}
	return err
}

// call is one attempt to ask for n people of the account, and notes how it fares.
func (l *Lane) call(c contexts, n int, op func(context.Context) error) error {
	return l.send(c, n, func(ctx context.Context, began time.Time) error {
		number := l.proof.begin()
		ctx, token := wechat.NoteToken(ctx)
		err := op(ctx)
		switch {
		case err == nil:
			l.proof.answered(number, began, *token)
		case refused(err):
			l.proof.refused(number)
		case namesNobody(err):
			l.proof.failed()
		}
		return err
	})
}

// send is one attempt, to ask for n people, when the rate and the quota allow it;
// errStopped if the lane stops before that, or if what we may use of the quota is
// used. Every call of the lane for data goes through it.
func (l *Lane) send(c contexts, n int, op func(ctx context.Context, began time.Time) error) error {
	cost := quota.Call{OpenIDs: n, Bulk: l.task != nil}
	if c.last {
		var cancel context.CancelFunc
		c.stop, cancel = context.WithTimeout(c.abort, lastWait)
		defer cancel()
	}
	began, ok := l.turn(c.stop)
	if ok && c.probe {
		l.budget.force(cost)
	} else if ok {
		if began, ok = l.grant(c.stop, cost); !ok {
			l.throttle.leave()
		}
	}
	if c.begun != nil {
		c.begun()
	}
	if !ok {
		return errStopped
	}
	err := op(c.abort, began)
	sent := sent(err)
	if sent {
		l.stats.calls.Add(1)
	}
	if err == nil || refused(err) { // else it says nothing of how long they take
		l.budget.do(func(b *quota.Ledger) { b.Took(time.Since(began)) })
	}
	l.budget.end(cost, sent)
	l.throttle.heed(began, err, l.rand())
	return err
}

// lastWait is how long the last call of a lane that stops may wait for its turn.
const lastWait = 50 * time.Millisecond

// sent reports whether a call that ended so was made at all. One that failed for
// want of a token, of a well-formed request or of a connection has cost nothing.
func sent(err error) bool {
	e := failure(err)
	if e == nil {
		return true
	}
	if wantsToken(e) || e.Class == wechat.Bug && e.Code == 0 && e.Status == 0 {
		return false
	}
	dial, ok := errors.AsType[*net.OpError](err)
	return !ok || dial.Op != "dial"
}

// wantsToken reports whether a look-up has failed for want of a token.
func wantsToken(e *wechat.Error) bool { return e.Op != opBatchGet && e.Op != opUserInfo }

// The endpoints that a lane calls for data, as errors name them.
const (
	opBatchGet = "user/info/batchget"
	opUserInfo = "user/info"
)

// failure is the classified error in err's chain, or nil if there is none.
func failure(err error) *wechat.Error {
	e, _ := errors.AsType[*wechat.Error](err)
	return e
}

// namesNobody reports whether a call failed in a way that may be the account's
// or somebody's in it.
func namesNobody(err error) bool {
	e := failure(err)
	return e != nil && (e.Class == wechat.Transient || e.Class == wechat.Unknown)
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
