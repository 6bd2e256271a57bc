package pipeline

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// natsClock says how late it is on the NATS server, which dates what it stores:
// how old an event or its answer is must not depend on how well this machine's
// clock is set. It is safe for concurrent use.
type natsClock struct{ ahead atomic.Int64 } // of ours, in nanoseconds

// clockNoise is how far the clocks may seem apart by the way of an answer alone.
const clockNoise = 100 * time.Millisecond

// learn takes what an answer to a request of that time says.
func (c *natsClock) learn(said, sent, now time.Time) {
	if said.IsZero() {
		return
	}
	ahead := said.Sub(sent.Add(now.Sub(sent) / 2))
	if ahead.Abs() < clockNoise+now.Sub(sent) {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// at is a time of ours as the server's clock shows it.
func (c *natsClock) at(t time.Time) time.Time { return t.Round(0).Add(c.off()) }

func (c *natsClock) off() time.Duration { return time.Duration(c.ahead.Load()) }

// warnOfClock says so if the clocks are far apart.
func (l *Lane) warnOfClock() {
	if off := l.clock.off(); off.Abs() > lookBackMargin {
		l.log.Warn("this machine's clock is wrong, or NATS's is; what is old is told by NATS's", slog.Duration("nats_is_ahead", off.Round(time.Millisecond)))
	}
}
