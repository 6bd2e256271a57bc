package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/wxenrich/wxenrich/wechat"
)

// Directory is what a lane needs of WeChat; *wechat.Client is one. Each call
// is one attempt with a classified error.
type Directory interface {
	BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error)
	UserInfo(ctx context.Context, q wechat.Query) (wechat.User, error)
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
	timeoutLimit = 2 // time-outs before a batch is halved: time grows with its size

	// Attempts at a passing error (-1) before a batch is halved, or one person
	// given up, provided that others are answered in the meantime. The latter
	// takes more: at one failure in twenty calls, five in a row happen.
	busyLimit     = 5
	busyLimitLone = 12
)

// attempt calls op, which asks for n people, until it is answered or has failed
// in a way that repeating it does not mend. It is the one place that retries:
// with full jitter, never sooner than the server wishes, and not once the lane
// stops. It returns nil, errStopped, or the error that is final.
func (l *Lane) attempt(c contexts, n int, op func(context.Context) error) error {
	var stale, unknown, timeouts, busy int
	began := time.Now()
	wait := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand)

	once := func() error {
		err := l.call(c, op)
		if e := failure(err); e != nil && e.Class == wechat.StaleToken && stale == 0 {
			stale++ // it was right until now: with a new one the call is as good as any
			err = l.call(c, op)
		}
		switch e := failure(err); {
		case err == nil:
			return nil
		case e == nil || c.abort.Err() != nil:
			return backoff.Permanent(errStopped)
		case e.Class == wechat.Transient:
			if isTimeout(err) {
				timeouts++
			}
			if timeouts >= timeoutLimit && n > 1 {
				return backoff.Permanent(err)
			}
			if e.Code != 0 {
				busy++
			}
			if (busy >= busyLimit && n > 1 || busy >= busyLimitLone) && l.proof.since(began) {
				return backoff.Permanent(err)
			}
			wait.wish = e.After
		case e.Class == wechat.MinuteLimit:
			wait.wish = max(e.After, l.toNextMinute())
		case e.Class == wechat.StaleToken:
			if stale++; stale > staleLimit {
				return backoff.Permanent(err)
			}
		case e.Class == wechat.Unknown:
			if unknown++; unknown >= unknownLimit {
				return backoff.Permanent(err)
			}
		default:
			return backoff.Permanent(err)
		}
		return err
	}
	err := backoff.RetryNotify(once, backoff.WithContext(wait, c.stop), func(error, time.Duration) {
		l.stats.retries.Add(1)
	})
	if err != nil && failure(err) == nil {
		return errStopped // the wait was cut short
	}
	return err
}

// call is one attempt, when the rate allows it; errStopped if the lane stops
// before that. Every call of the lane goes through it.
func (l *Lane) call(c contexts, op func(context.Context) error) error {
	if l.rate.Wait(c.stop) != nil {
		return errStopped
	}
	began := time.Now()
	l.stats.calls.Add(1)
	err := op(c.abort)
	if err == nil {
		l.proof.answered(began)
	}
	return err
}

// toNextMinute is the wait for WeChat's minute limit (45011), with jitter.
func (l *Lane) toNextMinute() time.Duration {
	now := time.Now()
	next := now.Truncate(time.Minute).Add(time.Minute)
	return next.Sub(now) + time.Duration(l.rand()*float64(5*time.Second))
}

// failure is the classified error in err's chain, or nil if there is none.
func failure(err error) *wechat.Error {
	e, _ := errors.AsType[*wechat.Error](err)
	return e
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
