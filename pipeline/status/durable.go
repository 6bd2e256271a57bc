package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
)

// durable reads how far an account is, and what the mark says of it.
func (r *reader) durable(ctx context.Context, l *Lane, a *Account) error {
	stream := r.streams[l.Stream]
	if stream == nil {
		a.Phase = NoStream
		return nil
	}
	if m, ok := r.board.Mark(l.AppID, l.Durable); ok && m.Born.Equal(stream.CachedInfo().Created) {
		a.Mark = &Mark{Floor: m.Floor, May: m.May, At: m.At.UTC()}
	}
	consumer, err := stream.Consumer(ctx, l.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		a.Phase = NoDurable
		return nil
	}
	if err != nil {
		return fmt.Errorf("durable %s of stream %s: %w", l.Durable, l.Stream, err)
	}
	info := consumer.CachedInfo()
	d := newDurable(info)
	if a.Durable = d; d.Lag > 0 || d.InHand > 0 {
		oldest, err := pipeline.Oldest(ctx, stream, info)
		if err != nil {
			return fmt.Errorf("the oldest event in stream %s: %w", l.Stream, err)
		}
		d.dated(oldest, stream.CachedInfo().Config.MaxAge)
	}
	a.Phase = d.phase(info.Config.AckWait)
	if info.Paused {
		a.Phase = Paused
	}
	return nil
}

func newDurable(info *jetstream.ConsumerInfo) *Durable {
	d := &Durable{
		Stream: info.Stream, Name: info.Name,
		Lag: info.NumPending, InHand: info.NumAckPending, Redelivered: info.NumRedelivered, Pulls: info.NumWaiting,
		AckFloor: info.AckFloor.Stream, Delivered: info.Delivered.Stream,
		created: info.Created, at: info.TimeStamp, settled: int64(info.Delivered.Consumer) - int64(info.NumAckPending),
	}
	for _, t := range []*time.Time{info.Delivered.Last, info.AckFloor.Last} {
		if t != nil && t.After(d.Active) {
			d.Active = *t
		}
	}
	return d
}

// dated notes the age of the oldest event, if there is one, of a stream that
// keeps events so long; 0 is for ever.
func (d *Durable) dated(oldest time.Time, maxAge time.Duration) {
	if oldest.IsZero() {
		return
	}
	age := max(0, d.at.Sub(oldest).Seconds())
	d.Oldest, d.OldestAge = oldest.UTC(), &age
	if maxAge > 0 {
		d.Expires = d.Oldest.Add(maxAge)
	}
}

// Expiring reports whether the oldest event has waited for more than half the
// time that the stream keeps it.
func (d *Durable) Expiring() bool {
	return d.OldestAge != nil && !d.Expires.IsZero() && 2**d.OldestAge > d.Expires.Sub(d.Oldest).Seconds()
}
