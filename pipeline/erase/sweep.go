package erase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Place is where messages about people are.
type Place struct {
	Stream   string
	Subjects []string // empty for all; wildcards allowed
}

// Scope is an account's messages.
type Scope struct {
	AppID  string
	Fields map[string]string // where its producer keeps an event's fields: see events.Decoder
	Places []Place           // a stream that is missing holds nothing
}

// find is the messages of a stream that are to go, by kind and subject.
type find struct {
	stream string
	kind   Kind
	events string // their subject, of events
}

// finds is all that a reading has found.
type finds map[find][]hit

// hit is a message and whom it is about.
type hit struct {
	Removed
	who *person
}

// search reads all places, and hands each message to wanted, which says whose
// it is that is to go; nil if it stays.
func (s *Scope) search(ctx context.Context, js jetstream.JetStream, progress func(stream string, done, total uint64), wanted func(*message) *person) (finds, error) {
	r := reader{appid: s.AppID, decoder: events.Decoder{AppID: s.AppID, Fields: s.Fields}}
	all := make(finds)
	for _, p := range s.Places {
		stream, err := js.Stream(ctx, p.Stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", p.Stream, err)
		}
		span := scan.Span{Stream: p.Stream, Subjects: p.Subjects, End: stream.CachedInfo().State.LastSeq, Bodies: true}
		if progress != nil {
			span.Progress = func(done, total uint64) { progress(p.Stream, done, total) }
		}
		err = scan.Read(ctx, js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			x, ok := r.read(m, meta)
			if !ok {
				return true
			}
			who := wanted(&x)
			if who == nil {
				return true
			}
			at := find{stream: p.Stream, kind: x.kind}
			if x.kind == KindEvent {
				at.events = m.Subject()
			}
			all[at] = append(all[at], hit{Removed{meta.Sequence.Stream, meta.Timestamp.UnixNano()}, who})
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Swept is what came of the messages of one kind in a stream.
type Swept struct {
	Stream  string `json:"stream"`
	Kind    Kind   `json:"kind"`
	Found   uint64 `json:"found"`
	Removed uint64 `json:"removed"`
	Fault   string `json:"fault,omitempty"` // why the rest is still there
}

// remove overwrites and removes what was found, after it is written down.
func (l *Ledger) remove(ctx context.Context, appid string, all finds) ([]Swept, error) {
	var out []Swept
	for at, hits := range all {
		var msgs []Removed
		for _, h := range hits {
			if !h.who.spared {
				msgs = append(msgs, h.Removed)
			}
		}
		s := Swept{Stream: at.stream, Kind: at.kind, Found: uint64(len(msgs))}
		if len(msgs) == 0 {
			continue
		}
		if err := l.note(ctx, Receipt{AppID: appid, Stream: at.stream, Kind: at.kind, Subject: at.events, Removed: msgs}); err != nil {
			return out, err
		}
		stream, err := l.js.Stream(ctx, at.stream)
		if err != nil {
			return out, fmt.Errorf("stream %s: %w", at.stream, err)
		}
		for _, m := range msgs {
			err := secureDelete(ctx, stream, m.Seq)
			if err != nil && ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
			if err != nil {
				s.Fault = err.Error()
				break
			}
			s.Removed++
		}
		out = append(out, s)
	}
	return out, nil
}

// secureDelete overwrites a message and removes it. One that is gone is as good.
func secureDelete(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := stream.SecureDeleteMsg(ctx, seq)
	if err == nil || errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if _, gone := stream.GetMsg(ctx, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("remove message %d of %s: %w", seq, stream.CachedInfo().Config.Name, err)
}
