package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/water"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// A Refusal is why a lane will not start: going on would lose or repeat
// something, and only a person can decide. Hint says what to do about it.
type Refusal struct {
	AppID  string
	Reason string
	Hint   string
}

func (r *Refusal) Error() string { return fmt.Sprintf("account %s: %s", r.AppID, r.Reason) }

// requestTimeout bounds one JetStream request at start. A request sent before
// a cluster has a meta leader is never answered, so it is repeated instead.
const requestTimeout = 2 * time.Second

// binding is the durable, and what is known of its past.
type binding struct {
	consumer jetstream.Consumer
	born     time.Time // of the input stream
	upTo     uint64    // events up to it may have been taken before
	raise    uint64    // the mark has to be raised to it at least, since it knew nothing
	anew     bool      // the durable has forgotten what was acknowledged
	reached  uint64    // how far it has delivered
	order    uint64    // and how often
}

// rebinding is what came of looking for the durable again.
type rebinding struct {
	binding
	err error
}

// openTap begins to pull, if the durable is known; else it looks for it.
func (l *loop) openTap(now time.Time) {
	if l.binding || now.Before(l.rebindAt) {
		return
	}
	if l.consumer == nil {
		l.binding = true
		go func() {
			b, err := l.bind(l.c.stop)
			l.bound <- rebinding{b, err}
		}()
		return
	}
	l.tap = l.open(l.consumer, l.order)
}

// rebound takes what bind found.
func (l *loop) rebound(b rebinding) {
	l.binding = false
	if refusal, ok := errors.AsType[*Refusal](b.err); ok {
		l.state.set(State{Phase: Refused, Reason: refusal.Reason, Hint: refusal.Hint})
		l.rebindAt = time.Now().Add(rebindPause)
		return
	}
	l.mark.forget()
	if l.bindTo(b.binding); l.consumer != nil {
		l.state.set(State{Phase: Running})
	}
}

// bindTo takes over a durable.
func (l *loop) bindTo(b binding) {
	if l.consumer = b.consumer; l.consumer == nil {
		return
	}
	if !b.born.Equal(l.born) {
		l.tide = tide{born: b.born, risen: l.risen, rising: l.rising, unmarked: l.unmarked}
	}
	l.holdAtMost(l.consumer.CachedInfo().Config.MaxAckPending)
	l.notePause(l.consumer.CachedInfo())
	l.upTo, l.order = b.upTo, b.order
	l.anew = b.anew || b.reached < l.highest // which we have seen
	l.highest = max(l.highest, b.raise)
	l.orphan()
	l.past.Store(&lookBack{turn: make(chan struct{}, 1)}) // what was known may be of another stream
}

// rebindPause is the wait before a durable that is lost is looked for again.
const rebindPause = 5 * time.Second

// bind finds the lane's durable, or makes it. It waits as long as the server
// does not answer or the stream is not there, and returns a *Refusal where a
// person is needed, or the context's error.
func (l *Lane) bind(ctx context.Context) (binding, error) {
	for pause := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand); ; {
		if !l.out.binds.pass(ctx) {
			return binding{}, context.Cause(ctx)
		}
		b, err := l.tryBind(ctx)
		l.out.binds.leave()
		if err == nil {
			return b, nil
		}
		if _, refused := errors.AsType[*Refusal](err); refused {
			return binding{}, err
		}
		if ctx.Err() != nil {
			return binding{}, context.Cause(ctx)
		}
		l.state.set(State{Phase: Connecting, Reason: err.Error()})
		if !sleep(ctx, pause.NextBackOff()) {
			return binding{}, context.Cause(ctx)
		}
	}
}

func (l *Lane) tryBind(ctx context.Context) (b binding, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent := time.Now()
	stream, err := l.js.Stream(ctx, l.cfg.Stream)
	if err != nil {
		return b, fmt.Errorf("stream %s: %w", l.cfg.Stream, err)
	}
	info := stream.CachedInfo()
	l.clock.learn(info.TimeStamp, sent, time.Now())
	l.warnOfClock()
	mark := l.readMark()
	if !mark.Stream.Equal(info.Created) {
		mark = water.Mark{}
	}
	b.born, b.upTo = info.Created, mark.May
	if mark.May == 0 { // nothing is known: all that is there may have been taken in a former life
		b.raise, b.upTo = info.State.LastSeq, info.State.LastSeq
	}
	b.consumer, err = l.js.Consumer(ctx, l.cfg.Stream, l.cfg.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		b.anew = mark.May > 0 // else it is new, as far as anybody knows
		if mark.May == 0 || mark.Floor > info.State.LastSeq {
			mark, b.upTo = water.Mark{}, info.State.LastSeq
		}
		b.consumer, err = l.create(ctx, info, mark)
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		if pushing, err := l.js.PushConsumer(ctx, l.cfg.Stream, l.cfg.Durable); err == nil {
			return b, l.inspect(&info.Config, pushing.CachedInfo())
		}
	case err == nil && b.consumer.CachedInfo().AckFloor.Stream < mark.Floor:
		l.log.Warn("the durable has fallen behind what was answered: it was made anew or restored; what it delivers again is looked for among the answers first",
			slog.Uint64("ack_floor", b.consumer.CachedInfo().AckFloor.Stream), slog.Uint64("mark", mark.Floor))
		b.anew = true
	}
	if _, refused := errors.AsType[*Refusal](err); refused {
		return b, err
	}
	if err != nil {
		return b, fmt.Errorf("durable %s of stream %s: %w", l.cfg.Durable, l.cfg.Stream, err)
	}
	l.noteBound(info, b.consumer.CachedInfo())
	b.reached, b.order = b.consumer.CachedInfo().Delivered.Stream, b.consumer.CachedInfo().Delivered.Consumer
	if found, err := l.findPlaces(ctx); err == nil { // else whoever needs them asks again
		if err := l.apart(found.places); err != nil {
			return b, err
		}
		l.places.Store(found)
		if mark.May == 0 && l.untouched(ctx, &b, found.places) {
			b.raise, b.upTo = 0, 0
		}
	}
	return b, l.inspect(&info.Config, b.consumer.CachedInfo())
}

// create makes the durable. CreateConsumer fails if another replica has made
// it with other settings in the meantime; it never changes one. Where all up to
// a floor is known to be answered it begins behind that.
func (l *Lane) create(ctx context.Context, stream *jetstream.StreamInfo, mark water.Mark) (jetstream.Consumer, error) {
	if l.cfg.Manage != events.Create && l.task == nil { // a job's is ours alone, and goes with it
		return nil, &Refusal{l.cfg.AppID,
			fmt.Sprintf("durable %s does not exist on stream %s, and manage is %q", l.cfg.Durable, l.cfg.Stream, l.cfg.Manage),
			plan.AddDurable(l.cfg.Needs(), l.cfg.Stream, l.cfg.Durable, l.cfg.Start.String())}
	}
	want := jetstream.ConsumerConfig{
		Durable:        l.cfg.Durable,
		Description:    "wxenrich lane of account " + l.cfg.AppID,
		FilterSubjects: l.cfg.Subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        l.cfg.AckWait,
		MaxDeliver:     -1, // a long outage must not turn events into losses
		MaxAckPending:  l.cfg.maxAckPending(),
	}
	if l.task != nil {
		want.Metadata, want.InactiveThreshold = l.task.metadata, taskForgotten
	} else if l.cfg.InMemory {
		want.MemoryStorage = true
		if err := l.mayForget(&stream.Config); err != nil {
			return nil, err
		}
	}
	switch floor := mark.Floor; {
	case stream.Config.Retention == jetstream.WorkQueuePolicy: // it holds what is not answered yet, and takes no durable that leaves any out
		switch {
		case l.task != nil:
			return nil, &Refusal{l.cfg.AppID, fmt.Sprintf("stream %s is a work queue: it keeps nothing that was answered", l.cfg.Stream), "replay --from records reads the records instead"}
		case floor == 0 && l.cfg.Start.mode != startUnset && l.cfg.Start.mode != startAll:
			return nil, &Refusal{l.cfg.AppID, fmt.Sprintf("stream %s is a work queue: its events cannot be left unanswered", l.cfg.Stream), "set input.start: all"}
		}
		return l.js.CreateConsumer(ctx, l.cfg.Stream, want)
	case floor > 0 && floor >= l.cfg.Start.seq || l.noted(mark):
		l.log.Warn("the durable is gone; it is made anew behind what was answered", slog.Uint64("mark", floor))
		want.DeliverPolicy, want.OptStartSeq = jetstream.DeliverByStartSequencePolicy, floor+1
		plan.BegunAt(&want, mark.Begin)
		return l.js.CreateConsumer(ctx, l.cfg.Stream, want)
	}
	noted := mark
	mark, recalled := l.recall(stream)
	if !recalled && noted.May > 0 && l.saysOnce() { // some of them may be answered: whoever takes them looks
		l.log.Warn("the durable is gone; it is made anew where it began, as the state bucket says")
		if !noted.Begin.IsZero() {
			want.DeliverPolicy, want.OptStartTime = jetstream.DeliverByStartTimePolicy, &noted.Begin
		}
		return l.js.CreateConsumer(ctx, l.cfg.Stream, want)
	}
	if mark, err := l.noteBegin(ctx, stream, mark, recalled); err != nil {
		return nil, err
	} else if recalled || mark.May > 0 {
		want.DeliverPolicy, want.OptStartSeq = jetstream.DeliverByStartSequencePolicy, mark.Floor+1
		plan.BegunAt(&want, mark.Begin)
		return l.js.CreateConsumer(ctx, l.cfg.Stream, want)
	}
	switch l.cfg.Start.mode {
	case startSeq:
		want.DeliverPolicy, want.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.cfg.Start.seq
	case startNew:
		want.DeliverPolicy = jetstream.DeliverNewPolicy
	case startAt:
		want.DeliverPolicy = jetstream.DeliverByStartTimePolicy
		want.OptStartTime = &l.cfg.Start.at
	case startUnset:
		if err := l.mayGuess(ctx); err != nil {
			return nil, err
		}
	}
	return l.js.CreateConsumer(ctx, l.cfg.Stream, want)
}

// mayGuess refuses to choose between all and new where the choice matters.
func (l *Lane) mayGuess(ctx context.Context) error {
	stream, err := l.js.Stream(ctx, l.cfg.Stream)
	if err != nil {
		return err
	}
	var held uint64
	for _, subject := range l.cfg.Subjects {
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return err
		}
		for _, n := range info.State.Subjects {
			held += n
		}
	}
	if held == 0 {
		return nil // nothing to decide
	}
	calls := (held + uint64(l.cfg.BatchSize) - 1) / uint64(l.cfg.BatchSize)
	state := stream.CachedInfo().State
	return &Refusal{l.cfg.AppID,
		fmt.Sprintf("stream %s already holds %d events for it, and durable %s is new: say where to begin", l.cfg.Stream, held, l.cfg.Durable),
		fmt.Sprintf("set input.start to\n"+
			"  all    looks all %d up: at least %d API calls if no openid repeats\n"+
			"  new    leaves them unanswered and begins with the next event\n"+
			"  a time begins there; the stream's first message is of %s, its last of %s",
			held, calls, state.FirstTime.UTC().Format(time.RFC3339), state.LastTime.UTC().Format(time.RFC3339))}
}

// inspect holds a durable to what the lane needs. It refuses what would lose
// events and warns of what would repeat or delay them; it changes nothing.
func (l *Lane) inspect(stream *jetstream.StreamConfig, info *jetstream.ConsumerInfo) error {
	l.ackWait.Store(int64(plan.AckWait(&info.Config)))
	needs := l.cfg.Needs()
	needs.Replicas = stream.Replicas
	findings := plan.Durable(needs, info)
	if f, refused := plan.Refusal(findings); refused {
		return &Refusal{l.cfg.AppID, f.String(), f.Fix + "; or name another with input.durable"}
	}
	for _, f := range findings {
		if f.Severity == plan.Warn {
			l.log.Warn(f.String(), slog.String("fix", f.Fix))
		}
	}
	return nil
}
