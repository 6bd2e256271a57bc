package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// readPending asks the durables of inputs that forget what they have still to
// answer: nobody but its durable may read a work queue. It comes after the
// answers, so that what is answered meanwhile is not counted twice.
func (r *run) readPending(ctx context.Context) error {
	for _, input := range r.inputs {
		if r.books[input].forgets {
			r.note("stream %s deletes an event when it is acknowledged: how many there were, and which have no answer, cannot be told. The answers alone are counted; retention limits keeps what an audit needs", input)
		}
	}
	s := &r.scope
	ranged := s.FromSeq != 0 || s.ToSeq != 0 || !s.Since.IsZero() || !s.Until.IsZero()
	for i := range s.Lanes {
		l, b := &s.Lanes[i], &r.report.Lanes[i]
		if b.Forgets = r.books[l.Stream].forgets; !b.Forgets || l.Durable == "" || ranged {
			continue // a durable does not know what of a range is pending
		}
		c, err := r.streams[l.Stream].Consumer(ctx, l.Durable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("audit: durable %s of stream %s: %w", l.Durable, l.Stream, err)
		}
		info := c.CachedInfo()
		b.InHand, b.Pending = info.NumAckPending, info.NumPending+uint64(info.NumAckPending)
		b.In += b.Pending
	}
	return nil
}
