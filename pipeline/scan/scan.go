// Package scan reads messages of a stream in their order, beside all consumers,
// and takes nothing away from them.
package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Span is which messages of a stream to read.
type Span struct {
	Stream   string
	Subjects []string  // empty for all
	From     uint64    // sequence; 0 is the stream's first
	Since    time.Time // instead of From, if it is not zero
	End      uint64    // sequence, included
	Bodies   bool      // else headers only

	// Progress, if it is not nil, is told now and then how many messages are
	// read and how many there are.
	Progress func(done, total uint64)
}

const (
	// prefetch is how many headers wait in the client: some hundred KiB. Of
	// whole messages there are fewer.
	prefetch       = 4096
	prefetchBodies = 256
	// quiet is the wait after which we begin anew behind what we have.
	quiet = time.Second
	// resets bounds how often one reader recovers from a fault.
	resets = 5
	// progressEvery is in messages.
	progressEvery = 4096
)

// Read hands the messages to visit, in order; visit may end it by returning
// false. The error wraps jetstream.ErrStreamNotFound when there is no stream.
//
// That nothing is left is believed of a new consumer only: while messages are
// deleted, the count of one that is at work may be too low by a few.
func Read(ctx context.Context, js jetstream.JetStream, s Span, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	var done uint64
	for more := s.End > 0; more && s.From <= s.End; {
		var err error
		more, err = s.read(ctx, js, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			s.From, s.Since = meta.Sequence.Stream+1, time.Time{}
			if done++; done%progressEvery == 0 && s.Progress != nil {
				s.Progress(done, done+meta.NumPending)
			}
			return meta.Sequence.Stream <= s.End && visit(m, meta)
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", s.Stream, err)
		}
	}
	return nil
}

// read reads with one consumer, until there seems to be nothing left; it
// reports false when that is certain, or visit has ended it.
func (s *Span) read(ctx context.Context, js jetstream.JetStream, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) (more bool, err error) {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: s.Subjects, HeadersOnly: !s.Bodies, MaxResetAttempts: resets}
	switch {
	case !s.Since.IsZero():
		since := s.Since
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	case s.From != 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.From
	}
	consumer, err := js.OrderedConsumer(ctx, s.Stream, cfg)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quiet)
		defer cancel()
		_ = js.DeleteConsumer(ctx, s.Stream, consumer.CachedInfo().Name) // else the server does so, minutes later
	}()
	if consumer.CachedInfo().NumPending == 0 {
		return false, nil
	}
	ahead := prefetch
	if s.Bodies {
		ahead = prefetchBodies
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(ahead))
	if err != nil {
		return false, err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next(jetstream.NextMaxWait(quiet))
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case errors.Is(err, nats.ErrTimeout):
			return true, nil
		case err != nil:
			return false, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return false, err
		}
		if !visit(m, meta) {
			return false, nil
		}
		if meta.Sequence.Stream == s.End || meta.NumPending == 0 {
			return true, nil
		}
	}
}
