package dead

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Place is where letters are.
type Place struct {
	Stream   string
	Subjects []string // empty for all; wildcards allowed
}

// Reading is what to read of a place.
type Reading struct {
	Place
	Selection
	Bodies   bool                     // else Message.Data is empty
	Progress func(done, total uint64) // nil, or told now and then
}

// Result is what a reading came across.
type Result struct {
	Read    uint64   // letters that are meant
	Foreign uint64   // messages that are no dead letters
	Absent  []uint64 // Selection.Seqs where there is no letter that is meant
}

// Read hands the letters that are meant to visit, in their order, until it
// returns false; with Selection.Seqs in the order of these. What comes in
// meanwhile is left out. The error wraps jetstream.ErrStreamNotFound when
// there is no stream.
func Read(ctx context.Context, js jetstream.JetStream, r Reading, visit func(*Letter) bool) (Result, error) {
	stream, err := js.Stream(ctx, r.Stream)
	if err != nil {
		return Result{}, fmt.Errorf("stream %s: %w", r.Stream, err)
	}
	if len(r.Seqs) > 0 {
		return r.some(ctx, stream, visit)
	}
	var out Result
	span := scan.Span{Stream: r.Stream, Subjects: r.Subjects, Since: r.Since, End: stream.CachedInfo().State.LastSeq, Bodies: r.Bodies, Progress: r.Progress}
	err = scan.Read(ctx, js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		l, ok := Parse(meta.Sequence.Stream, meta.Timestamp, m.Subject(), m.Headers(), m.Data())
		switch {
		case !ok:
			out.Foreign++
		case !r.Until.IsZero() && !l.Stored.Before(r.Until):
			return false
		case r.Has(&l):
			out.Read++
			return visit(&l)
		}
		return true
	})
	return out, err
}

// some reads single letters.
func (r *Reading) some(ctx context.Context, stream jetstream.Stream, visit func(*Letter) bool) (Result, error) {
	var out Result
	for _, seq := range r.Seqs {
		l, err := get(ctx, stream, seq)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, errForeign), err == nil && !r.Has(&l):
			out.Absent = append(out.Absent, seq)
			continue
		case err != nil:
			return out, err
		}
		if !r.Bodies {
			l.Message.Data = nil
		}
		if out.Read++; !visit(&l) {
			break
		}
	}
	return out, nil
}

var errForeign = errors.New("not a dead letter")

func get(ctx context.Context, stream jetstream.Stream, seq uint64) (Letter, error) {
	m, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return Letter{}, fmt.Errorf("message %d: %w", seq, err)
	}
	l, ok := Parse(m.Sequence, m.Time, m.Subject, m.Header, m.Data)
	if !ok {
		return l, fmt.Errorf("message %d: %w", seq, errForeign)
	}
	return l, nil
}
