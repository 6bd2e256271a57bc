package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
	"github.com/wxenrich/wxenrich/wechat"
)

// throttle lets a lane's calls begin: all of them, retries and probes too.
type throttle struct {
	turn chan struct{} // one slot: whoever has it is next
	live atomic.Int64  // live calls that wait

	mu   sync.Mutex
	pace *pace.Throttle
}

func newThrottle(perSecond float64) *throttle {
	return &throttle{turn: make(chan struct{}, 1), pace: pace.NewThrottle(perSecond)}
}

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
		sleep(ctx, wait)
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
			select {
			case t.turn <- struct{}{}:
				began, wait = t.take(time.Now())
				<-t.turn
				if wait == 0 {
					return began, true
				}
			default:
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
	return now, t.pace.Take(waiting, now)
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
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch e := failure(err); {
	case err == nil:
		t.pace.Succeeded(began, now)
	case e == nil:
	case e.Class == wechat.MinuteLimit:
		if t.pace.Refused(began, now, minuteSpan) {
			t.pace.Pause(began.Truncate(time.Minute).Add(time.Minute + time.Duration(jitter*float64(5*time.Second))))
			t.pace.Pause(now.Add(e.After))
		}
	case e.Status == fastReject:
		t.pace.Refused(began, now, overloadSpan)
	}
}

// slowStart begins with a few calls a second, because the account may not be
// well yet.
func (t *throttle) slowStart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pace.SlowStart(time.Now())
}

// limit is the rate in effect, in calls a second; 0 if there is none.
func (t *throttle) limit() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pace.Limit()
}
