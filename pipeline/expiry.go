package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// expiryEvery is how often a lane asks how many events wait and how old the oldest
// of them is, also one that idles: a durable that somebody has paused, or whose
// events another replica has taken and sits on, brings it nothing.
const expiryEvery = time.Minute

// expiryCovered is the same where rounds are made.
const expiryCovered = 10 * time.Minute

// expiryAgain is when a lane looks again if it saw nothing.
const expiryAgain = 10 * time.Second

// pausedEvery is how often a lane looks whose durable is paused: whoever ends the
// pause wants to see that it has ended.
const pausedEvery = 5 * time.Second

// expiryWatch is what the loop knows of its looks at the oldest event.
type expiryWatch struct {
	dating  bool          // the stream is being asked
	dated   chan struct{} //
	datedAt time.Time     // when that was begun
}

// waits is what a lane knows of the events that wait in the input.
type waits struct {
	oldest  atomic.Int64 // when the oldest was stored, in unix nanoseconds; 0: none waits, or not known
	expires atomic.Int64 // when it leaves the input by age; 0: never, or not known
	others  atomic.Int64 // how many are not acknowledged and not in our hands
	paused  atomic.Int64 // until when the durable delivers none, in unix nanoseconds; 0: it does
	dated   atomic.Int64 // when the oldest was looked for, in unix nanoseconds
	unseen  atomic.Int64 // looks that did not find the durable, one after the other
	refusal atomic.Pointer[refusal]
}

// refusal is why and when the server ended a pull as soon as it had begun.
type refusal struct {
	why error
	at  time.Time
}

func (w *waits) refuse(why error, now time.Time) {
	if why != nil {
		w.refusal.Store(&refusal{why, now})
	}
}

// refused is why the server takes no pull; nil if it does, or the latest attempt
// lies so far back that another must have gone well.
func (w *waits) refused(now time.Time) error {
	if r := w.refusal.Load(); r != nil && now.Sub(r.at) < rebindPause+requestTimeout {
		return r.why
	}
	return nil
}

// Lag is how many of the account's events are not acknowledged: those behind the
// latest delivery to this lane and in its hands, or all as of its latest look at
// the durable. It is safe for concurrent use.
func (l *Lane) Lag() int64 { return l.waits.others.Load() + l.stats.inHand.Load() }

// Oldest is when the account's oldest event that is not acknowledged was stored;
// false when there is none. It is as old as OldestExpires. It is safe for
// concurrent use.
func (l *Lane) Oldest() (time.Time, bool) {
	at := l.waits.oldest.Load()
	return time.Unix(0, at), at != 0
}

// OldestExpires is when the account's oldest event that is not acknowledged
// leaves the input stream by age, answered or not; false when there is none, or
// the stream keeps events for ever. A lane looks once a minute. It is safe for
// concurrent use.
func (l *Lane) OldestExpires() (time.Time, bool) {
	at := l.waits.expires.Load()
	return time.Unix(0, at), at != 0
}

// pausedUntil is when the pause of the durable ends; false if there is none.
func (l *Lane) pausedUntil() (time.Time, bool) {
	until := time.Unix(0, l.waits.paused.Load())
	return until, time.Now().Before(until)
}

// notePause notes whether the durable is paused, and says so once.
func (l *Lane) notePause(info *jetstream.ConsumerInfo) {
	_, before := l.pausedUntil()
	switch {
	case info.Paused:
		until := time.Now().Add(info.PauseRemaining)
		if l.waits.paused.Store(until.UnixNano()); !before {
			l.log.Warn("somebody has paused the durable; events wait", slog.Time("until", until), slog.String("hint", plan.Resume(info.Stream, info.Name)))
		}
	case l.waits.paused.Swap(0) != 0:
		l.log.Info("the durable is not paused any more")
	}
}

// watchExpiry looks when it is time. The lanes of a process do not all look at once.
func (l *loop) watchExpiry(now time.Time) {
	if l.datedAt.IsZero() {
		l.datedAt = now.Add(-time.Duration(l.rand() * float64(expiryEvery)))
	}
	if !l.mayDate() || now.Sub(l.datedAt) < l.dateEvery() {
		return
	}
	l.dating, l.datedAt = true, now
	go func() {
		l.dateOldest(l.c.stop)
		l.dated <- struct{}{}
	}()
}

// nextExpiry is when to look again by time alone; who is looked after sees now and
// then whether that is so still.
func (l *loop) nextExpiry(now time.Time, sooner func(time.Time)) {
	if l.mayDate() {
		sooner(l.datedAt.Add(l.dateEvery()))
		sooner(now.Add(expiryEvery))
	}
}

func (l *loop) dateEvery() time.Duration {
	switch {
	case l.waits.paused.Load() != 0:
		return pausedEvery
	case l.waits.unseen.Load() > 0:
		return expiryAgain
	case l.rounds.covers(l.cfg.Stream):
		return expiryCovered
	}
	return expiryEvery
}

func (l *loop) mayDate() bool {
	return l.task == nil && !l.dating && l.consumer != nil && !l.stopping()
}

// dateOldest looks at the durable, and notes how old the oldest event is.
func (l *Lane) dateOldest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	durable, err := l.js.Consumer(ctx, l.cfg.Stream, l.cfg.Durable)
	if err != nil {
		l.log.Debug("the age of the oldest event is unknown", slog.Any("error", err))
		l.notSeen()
		return
	}
	if info := durable.CachedInfo(); l.noteDurable(info) {
		stream, err := l.js.Stream(ctx, l.cfg.Stream)
		if err != nil {
			l.log.Debug("the age of the oldest event is unknown", slog.Any("error", err))
			return
		}
		l.date(ctx, stream, info)
	}
}

// noteDurable notes what the durable says, and reports whether events wait. It is
// safe for concurrent use.
func (l *Lane) noteDurable(info *jetstream.ConsumerInfo) (wait bool) {
	l.waits.unseen.Store(0)
	l.noteFloor(info)
	l.notePause(info)
	l.waits.others.Store(max(0, int64(info.NumPending)+int64(info.NumAckPending)-l.stats.inHand.Load()))
	if info.NumWaiting == 0 || sits(info) { // without ours, or on it
		l.doubtPull()
	}
	if info.NumPending == 0 && info.NumAckPending == 0 {
		l.waits.oldest.Store(0)
		l.waits.expires.Store(0)
		return false
	}
	return true
}

// sits reports whether a durable could deliver events to whoever waits. It may be
// about to; but a server forgets to do so when a pause is ended, until it next
// has a heartbeat to send (nats-server 2.15).
func sits(info *jetstream.ConsumerInfo) bool {
	most := info.Config.MaxAckPending
	return info.NumPending > 0 && !info.Paused && (most <= 0 || info.NumAckPending < most)
}

// notSeen notes that a look did not find the durable. It is safe for concurrent
// use.
func (l *Lane) notSeen() {
	if l.waits.unseen.Add(1) > 1 { // once is an accident
		l.doubtPull()
	}
}

// undated reports whether the oldest event is to be looked for again.
func (l *Lane) undated() bool {
	return l.waits.oldest.Load() == 0 || time.Since(time.Unix(0, l.waits.dated.Load())) >= expiryEvery
}

// date notes how old the oldest event is, and when it expires. What cannot be
// found out is left as it was known. It is safe for concurrent use.
func (l *Lane) date(ctx context.Context, stream jetstream.Stream, info *jetstream.ConsumerInfo) {
	l.waits.dated.Store(time.Now().UnixNano())
	oldest, err := Oldest(ctx, stream, info)
	switch maxAge := stream.CachedInfo().Config.MaxAge; {
	case err != nil:
		l.log.Debug("the age of the oldest event is unknown", slog.Any("error", err))
	case oldest.IsZero():
		l.waits.oldest.Store(0)
		l.waits.expires.Store(0)
	default:
		l.waits.oldest.Store(oldest.UnixNano())
		if maxAge > 0 {
			l.waits.expires.Store(oldest.Add(maxAge).UnixNano())
		} else {
			l.waits.expires.Store(0)
		}
	}
}

// Oldest is when the oldest event was stored that a durable of the stream
// listens to and that is not acknowledged, zero if there is none: the server
// leaves the ack floor right below that one.
func Oldest(ctx context.Context, stream jetstream.Stream, info *jetstream.ConsumerInfo) (at time.Time, err error) {
	subjects := plan.Filters(&info.Config)
	if len(subjects) == 0 {
		subjects = []string{">"}
	}
	for _, subject := range subjects {
		msg, err := stream.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		if at.IsZero() || msg.Time.Before(at) {
			at = msg.Time
		}
	}
	return at, nil
}
