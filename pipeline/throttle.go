package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
	"github.com/wxenrich/wxenrich/wechat"
)

// throttle lets a lane's calls begin: all of them, retries and probes too. Each
// that has begun is to be told of by heed, or given up by leave.
type throttle struct {
	turn chan struct{} // one slot: whoever has it is next
	live atomic.Int64  // live calls that wait

	ended chan struct{} // a call has

	mu       sync.Mutex
	pace     *pace.Throttle
	width    *pace.Width
	inFlight int
}

// newThrottle bounds calls a second, 0 for none, and calls at once while WeChat
// is overloaded.
func newThrottle(perSecond float64, atOnce int) *throttle {
	return &throttle{
		turn: make(chan struct{}, 1), ended: make(chan struct{}, 1),
		pace: pace.NewThrottle(perSecond), width: pace.NewWidth(atOnce),
	}
}

// whole is the wait of a call for which there is no room before another ends.
const whole = time.Duration(-1)

// wait returns when a call may begin, and the time; false if ctx ended first.
func (t *throttle) wait(ctx context.Context) (began time.Time, ok bool) {
	t.live.Add(1)
	defer t.live.Add(-1)
	waiting := time.Now()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return time.Time{}, false
	}
	for ctx.Err() == nil {
		now, wait := t.take(waiting)
		if wait == 0 {
			return now, true
		}
		if wait == whole {
			pause(ctx, time.Time{}, t.ended)
		} else {
			sleep(ctx, wait)
		}
	}
	return time.Time{}, false
}

// bulkLook is how soon a bulk call that had to stand back looks again.
const bulkLook = 20 * time.Millisecond

// waitBelow is wait for bulk work: it stands back while a live call waits, and
// never keeps one from its turn.
func (t *throttle) waitBelow(ctx context.Context) (began time.Time, ok bool) {
	for ctx.Err() == nil {
		wait := bulkLook
		if t.live.Load() == 0 {
			switch began, wait = t.take(time.Now()); wait {
			case 0:
				return began, true
			case whole:
				wait = bulkLook
			}
		}
		sleep(ctx, min(wait, bulkLook))
	}
	return time.Time{}, false
}

// turn waits until the lane's rate allows a call.
func (l *Lane) turn(ctx context.Context) (began time.Time, ok bool) {
	if l.live != nil {
		return l.throttle.waitBelow(ctx)
	}
	return l.throttle.wait(ctx)
}

func (t *throttle) take(waiting time.Time) (now time.Time, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = time.Now()
	if t.width.Full(t.inFlight) {
		return now, whole
	}
	if wait = t.pace.Take(waiting, now); wait == 0 {
		t.inFlight++
	}
	return now, wait
}

// leave makes room for another call.
func (t *throttle) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	wake(t.ended)
}

// The spans over which refused calls were too many. A limit a minute is one; an
// overload is a matter of moments.
const (
	minuteSpan   = time.Minute
	overloadSpan = 3 * time.Second
)

// fastReject is the HTTP status with which WeChat's front has refused calls when
// it was overloaded.
const fastReject = 561

// heed learns from how a call ended that began then. If it was one too many in
// its minute, no call begins before the next one; jitter in [0, 1) keeps
// replicas from coming back together.
func (t *throttle) heed(began time.Time, err error, jitter float64) {
	t.leave()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch e := failure(err); {
	case err == nil:
		t.pace.Succeeded(began, now)
		t.width.Succeeded(began, now)
	case e == nil:
	case e.Class == wechat.MinuteLimit:
		if t.pace.Refused(began, now, minuteSpan) {
			t.pace.Pause(began.Truncate(time.Minute).Add(time.Minute + time.Duration(jitter*float64(5*time.Second))))
			t.pace.Pause(now.Add(e.After))
		}
	case e.Status == fastReject:
		t.pace.Refused(began, now, overloadSpan)
		t.width.Refused(began, now)
	}
}

// slowStart begins with a few calls a second, because the account may not be
// well yet.
func (t *throttle) slowStart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pace.SlowStart(time.Now())
}

// atOnce is how many calls may be in flight.
func (t *throttle) atOnce() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.width.Limit()
}

// limit is the rate in effect, in calls a second; 0 if there is none.
func (t *throttle) limit() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pace.Limit()
}
