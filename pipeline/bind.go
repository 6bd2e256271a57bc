package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
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

// binding is what came of looking for the durable.
type binding struct {
	consumer jetstream.Consumer
	err      error
}

// openTap begins to pull, if the durable is known; else it looks for it.
func (l *loop) openTap(now time.Time) {
	if l.binding || now.Before(l.rebindAt) {
		return
	}
	if l.consumer == nil {
		l.binding = true
		go func() {
			consumer, err := l.bind(l.c.stop)
			l.bound <- binding{consumer, err}
		}()
		return
	}
	tap, err := l.open(l.consumer)
	if err != nil {
		l.log.Warn("cannot pull", slog.Any("error", err))
		l.consumer, l.rebindAt = nil, now.Add(rebindPause)
		return
	}
	l.tap = tap
}

// rebound takes what bind found.
func (l *loop) rebound(b binding) {
	l.binding = false
	if refusal, ok := errors.AsType[*Refusal](b.err); ok {
		l.state.set(State{Phase: Refused, Reason: refusal.Reason, Hint: refusal.Hint})
		l.rebindAt = time.Now().Add(rebindPause)
		return
	}
	l.mark.forget()
	if l.consumer = b.consumer; l.consumer != nil {
		l.state.set(State{Phase: Running})
	}
}

// rebindPause is the wait before a durable that is lost is looked for again.
const rebindPause = 5 * time.Second

// bind finds the lane's durable, or makes it. It waits as long as the server
// does not answer or the stream is not there, and returns a *Refusal where a
// person is needed, or the context's error.
func (l *Lane) bind(ctx context.Context) (jetstream.Consumer, error) {
	for pause := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand); ; {
		consumer, err := l.tryBind(ctx)
		if err == nil {
			return consumer, nil
		}
		if _, refused := errors.AsType[*Refusal](err); refused {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l.state.set(State{Phase: Connecting, Reason: err.Error()})
		if !sleep(ctx, pause.NextBackOff()) {
			return nil, context.Cause(ctx)
		}
	}
}

func (l *Lane) tryBind(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	consumer, err := l.js.Consumer(ctx, l.cfg.Stream, l.cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = l.create(ctx)
	}
	if _, refused := errors.AsType[*Refusal](err); refused {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("durable %s of stream %s: %w", l.cfg.Durable, l.cfg.Stream, err)
	}
	return consumer, l.inspect(consumer.CachedInfo().Config)
}

// create makes the durable. CreateConsumer fails if another replica has made
// it with other settings in the meantime; it never changes one.
func (l *Lane) create(ctx context.Context) (jetstream.Consumer, error) {
	if l.cfg.Manage != events.Create {
		return nil, &Refusal{l.cfg.AppID,
			fmt.Sprintf("durable %s does not exist on stream %s, and manage is %q", l.cfg.Durable, l.cfg.Stream, l.cfg.Manage),
			"create it, or set manage: create"}
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
	switch l.cfg.Start.mode {
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

// inspect compares a durable with what the lane needs. It refuses what would
// lose events and warns of the rest; it changes nothing.
func (l *Lane) inspect(have jetstream.ConsumerConfig) error {
	refuse := func(field string, value any, why string) error {
		return &Refusal{l.cfg.AppID,
			fmt.Sprintf("durable %s has %s %v: %s", l.cfg.Durable, field, value, why),
			fmt.Sprintf("nats consumer edit %s %s, or name another with input.durable", l.cfg.Stream, l.cfg.Durable)}
	}
	if have.AckPolicy != jetstream.AckExplicitPolicy {
		return refuse("ack policy", have.AckPolicy, "an ack would settle other events than its own; explicit is needed")
	}
	if have.MaxDeliver > 0 {
		return refuse("max deliver", have.MaxDeliver, "after so many outages an event would never be answered; unlimited (-1) is needed")
	}

	l.ackWait = have.AckWait
	if len(have.BackOff) > 0 { // it replaces the ack wait
		l.ackWait = have.BackOff[0]
	}
	warn := func(field string, have, want any) {
		l.log.Warn("durable differs from the configuration; it is used as it is",
			slog.String("durable", l.cfg.Durable), slog.String("field", field), slog.Any("have", have), slog.Any("want", want))
	}
	if l.ackWait != l.cfg.AckWait {
		warn("ack_wait", l.ackWait, l.cfg.AckWait)
	}
	if have.MaxAckPending > 0 && have.MaxAckPending < l.cfg.maxAckPending() {
		warn("max_ack_pending", have.MaxAckPending, l.cfg.maxAckPending())
	}
	filters := have.FilterSubjects
	if have.FilterSubject != "" {
		filters = []string{have.FilterSubject}
	}
	if !slices.Equal(slices.Sorted(slices.Values(filters)), slices.Sorted(slices.Values(l.cfg.Subjects))) {
		warn("filter", filters, l.cfg.Subjects)
	}
	return nil
}
