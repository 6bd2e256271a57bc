package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// maxPublishPause keeps a lane from sleeping through the moment when its
// output is back: a publish costs nothing, unlike an API call.
const maxPublishPause = 2 * time.Second

// settle stores the answers, and acks each input whose answer is stored. While
// the output refuses them it tries again, holding the answers: a look-up is
// not repeated because the output was down. It returns when all are settled,
// or when the lane stops; what is settled is marked so.
func (l *Lane) settle(c contexts, answers []answer) {
	defer func(began time.Time) {
		l.budget.do(func(b *quota.Ledger) { b.Stored(time.Since(began)) })
	}(time.Now())
	ctx, span := l.tracing.settled(c.abort, answers)
	defer span.End()
	answers = spread(answers)
	for i := range answers {
		l.tracing.create(&answers[i], l.generation(answers[i].delivery))
	}
	pause := newBackOff(l.cfg.RetryInitial, max(maxPublishPause, l.cfg.RetryInitial), l.rand)
	for answers = l.dropRepeats(c, answers); len(answers) > 0; answers = l.dropRepeats(c, answers) {
		var err error
		if answers, err = l.store(ctx, answers); err == nil {
			continue
		}
		l.state.outputFailed(err)
		wait := pause.NextBackOff()
		retried(ctx, err, wait)
		if !sleep(c.stop, wait) {
			return
		}
	}
	l.state.outputWorks()
}

// store publishes once and acks. It returns the answers to publish again, and
// one of the errors if the server did not confirm some.
func (l *Lane) store(ctx context.Context, answers []answer) (left []answer, failed error) {
	answers, left, failed = l.withoutErased(ctx, answers)
	if len(answers) == 0 {
		return left, failed
	}
	began := time.Now()
	span := l.tracing.publish(ctx, answers)
	errs := l.publish(ctx, answers)
	now := time.Now()
	stored(span, errs)
	l.timings.published(now.Sub(began))
	fault("published")
	for i, a := range answers {
		if i > 0 && i == len(answers)/2 {
			fault("half-acked")
		}
		switch err := errs[i]; {
		case err == nil:
			if a.delivery.stored |= a.fills; a.delivery.stored == l.cfg.allOutputs() { // else one for another output is still to be stored
				if err := l.conclude(ctx, a); err != nil {
					left, failed = append(left, a), err
					continue
				}
				l.acknowledge(a, now)
			}
		case tooLarge(err):
			left = append(left, l.smaller(a))
		default:
			if why, bad := errors.AsType[*unwritable](err); bad {
				left = append(left, l.inPlace(a, why))
				continue
			}
			left, failed = append(left, a), l.at(a, err)
		}
	}
	return left, failed
}

// conclude does what is to be done between an answer that is stored and the ack.
func (l *Lane) conclude(ctx context.Context, a answer) error {
	if err := l.bury(ctx, a.delivery); err != nil {
		return err
	}
	return l.orderErasure(ctx, a)
}

// acknowledge ends a delivery whose answer is stored. A confirmed ack would
// buy nothing: the server keeps it in memory as it does this one, and an ack
// that is lost shows as a redelivery that the message id makes harmless.
func (l *Lane) acknowledge(a answer, now time.Time) {
	a.delivery.settled = true
	_ = a.delivery.msg.Ack()
	if a.cause == nil {
		a.delivery.ended("record")
	} else {
		a.delivery.ended("dead_letter." + string(a.cause.reason))
	}
	l.stats.answered(a)
	l.timings.answered(a.delivery.event.Source.Time, now)
}

// at says at which stream an answer failed. The subject may hold an openid.
func (l *Lane) at(a answer, err error) error {
	known := l.places.Load()
	if known == nil {
		return err
	}
	i := len(l.cfg.Outputs) // where dead letters go
	if a.cause == nil {
		i = bits.TrailingZeros8(uint8(a.fills))
	}
	return fmt.Errorf("stream %s: %w", known.places[i].stream, err)
}

// publish publishes answers, those for one stream together. It returns one error
// for each.
func (l *Lane) publish(ctx context.Context, answers []answer) []error {
	if !l.cfg.Atomic || l.mixed(answers) {
		envelope := envelopes.Get().(*events.Envelope)
		defer envelopes.Put(envelope)
		return l.out.publish(len(answers), func(i int) (*nats.Msg, error) { return l.message(&answers[i], envelope) })
	}
	errs := make([]error, 0, len(answers))
	for len(answers) > 0 { // spread has put those for one output next to each other
		n := 1
		for n < len(answers) && answers[n].fills == answers[0].fills {
			n++
		}
		errs = append(errs, l.publishAtomic(ctx, answers[:n])...)
		answers = answers[n:]
	}
	return errs
}

// publishAtomic publishes answers for one stream all at once, which takes an
// envelope for each.
func (l *Lane) publishAtomic(ctx context.Context, answers []answer) []error {
	msgs, errs := make([]*nats.Msg, 0, len(answers)), make([]error, len(answers))
	for i := range answers {
		envelope := envelopes.Get().(*events.Envelope)
		defer envelopes.Put(envelope)
		msg, err := l.message(&answers[i], envelope)
		if errs[i] = err; err == nil {
			msgs = append(msgs, msg)
		}
	}
	of := l.out.publishAtomic(ctx, msgs)
	for i := range errs {
		if errs[i] == nil {
			errs[i], of = of[0], of[1:]
		}
	}
	return errs
}

// mixed reports whether there are both records and dead letters: a batch must be
// for one stream.
func (l *Lane) mixed(answers []answer) bool {
	return slices.ContainsFunc(answers, func(a answer) bool { return (a.cause == nil) != (answers[0].cause == nil) })
}

// tooLarge reports whether a message will never be taken for its size, by the
// connection or by the stream (error 10054).
func tooLarge(err error) bool {
	const streamMessageExceedsMaximum = 10054
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, nats.ErrMaxPayload) || ok && api.ErrorCode == streamMessageExceedsMaximum
}
