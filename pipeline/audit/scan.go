package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// span is which messages of a stream to read.
type span struct {
	stream   string
	subjects []string  // empty for all
	from     uint64    // sequence; 0 is the stream's first
	since    time.Time // instead of from, if it is not zero
	end      uint64    // sequence, included
}

const (
	// prefetch is how many headers wait in the client: some hundred KiB.
	prefetch = 4096
	// quiet is the wait after which we begin anew behind what we have.
	quiet = time.Second
	// resets bounds how often one reader recovers from a fault.
	resets = 5
	// progressEvery is in messages.
	progressEvery = 4096
)

// scan reads headers, in order. It reads beside all other consumers and takes
// nothing away from them. visit may end it by returning false.
//
// That nothing is left is believed of a new consumer only: while messages are
// deleted, the count of one that is at work may be too low by a few.
func (r *run) scan(ctx context.Context, s span, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	var done uint64
	for more := s.end > 0; more && s.from <= s.end; {
		var err error
		more, err = r.read(ctx, s, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			s.from, s.since = meta.Sequence.Stream+1, time.Time{}
			if done++; done%progressEvery == 0 && r.scope.Progress != nil {
				r.scope.Progress(s.stream, done, done+meta.NumPending)
			}
			return meta.Sequence.Stream <= s.end && visit(m, meta)
		})
		if err != nil {
			return fmt.Errorf("audit: read %s: %w", s.stream, err)
		}
	}
	return nil
}

// read reads with one consumer, until there seems to be nothing left; it
// reports false when that is certain, or visit has ended it.
func (r *run) read(ctx context.Context, s span, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) (more bool, err error) {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: s.subjects, HeadersOnly: true, MaxResetAttempts: resets}
	switch {
	case !s.since.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &s.since
	case s.from != 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.from
	}
	consumer, err := r.js.OrderedConsumer(ctx, s.stream, cfg)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quiet)
		defer cancel()
		_ = r.js.DeleteConsumer(ctx, s.stream, consumer.CachedInfo().Name) // else the server does so, minutes later
	}()
	if consumer.CachedInfo().NumPending == 0 {
		return false, nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch))
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
		if meta.Sequence.Stream == s.end || meta.NumPending == 0 {
			return true, nil
		}
	}
}
