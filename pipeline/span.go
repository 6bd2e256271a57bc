package pipeline

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// FirstSince is the sequence of the first message that a stream has stored at a
// time or later, whatever its subject. No message is read: the server finds it
// by its index.
func FirstSince(ctx context.Context, js jetstream.JetStream, stream string, at time.Time) (uint64, error) {
	info, err := peekAt(ctx, js, stream, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at})
	if err != nil {
		return 0, err
	}
	return info.Delivered.Stream + 1, nil
}

// CountRange is how many messages a range holds, by the server's index. While
// messages come in behind the range it may be lower by some.
func CountRange(ctx context.Context, js jetstream.JetStream, r job.Range) (uint64, error) {
	if r.From > r.To {
		return 0, nil
	}
	from := func(seq uint64) (uint64, error) {
		info, err := peekAt(ctx, js, r.Stream, jetstream.ConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(1, seq), FilterSubjects: r.Subjects,
		})
		if err != nil {
			return 0, err
		}
		return info.NumPending, nil
	}
	all, err := from(r.From)
	if err != nil {
		return 0, err
	}
	behind, err := from(r.To + 1)
	return all - min(all, behind), err
}

// peekAt makes a consumer only for what the server says of it, and removes it.
func peekAt(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) (*jetstream.ConsumerInfo, error) {
	c.Description = "wxenrich looks where messages are"
	c.AckPolicy, c.HeadersOnly, c.MemoryStorage, c.Replicas = jetstream.AckNonePolicy, true, true, 1
	c.InactiveThreshold = time.Minute
	made, err := js.CreateConsumer(ctx, stream, c)
	if err != nil {
		return nil, err
	}
	info := made.CachedInfo()
	_ = js.DeleteConsumer(ctx, stream, info.Name) // it ends by itself otherwise
	return info, nil
}
