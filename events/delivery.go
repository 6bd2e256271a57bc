package events

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Delivery is a record as a Subscriber hands it over.
type Delivery struct {
	Record     Record
	Msg        jetstream.Msg // as it came, for its headers and metadata
	Deliveries uint64        // how often it has been delivered, this time included

	in      *intake
	done    atomic.Bool
	settled func(ok bool) // may be nil
}

// verdict is an error that says what becomes of the record.
type verdict struct {
	delay   time.Duration
	discard bool
	err     error
}

func (v *verdict) Error() string {
	if v.err == nil {
		return "later"
	}
	return v.err.Error()
}

func (v *verdict) Unwrap() error { return v.err }

// RetryAfter is a handler's answer to have the record again after so long.
func RetryAfter(delay time.Duration, err error) error { return &verdict{delay: delay, err: err} }

// Discard is a handler's answer never to have the record again; it stays in
// the stream for others.
func Discard(err error) error { return &verdict{discard: true, err: err} }

// Settle settles the delivery as if its handler had returned err. Only the first
// call counts. It may be called from any goroutine.
func (d *Delivery) Settle(err error) {
	if d.done.Swap(true) {
		return
	}
	if d.in != nil {
		d.in.release(d)
	}
	if d.settled != nil {
		d.settled(err == nil)
	}
	// What goes wrong here shows as a redelivery.
	v, said := errors.AsType[*verdict](err)
	switch {
	case err == nil:
		_ = d.Msg.Ack()
	case said && v.discard:
		_ = d.Msg.TermWithReason(oneLine(v.Error()))
	case said:
		_ = d.Msg.NakWithDelay(max(v.delay, time.Millisecond))
	default:
		_ = d.Msg.NakWithDelay(pauseAfter(d.Deliveries))
	}
}

// pauseAfter is how long to wait after the nth failure: a second, two, four …
// a minute.
func pauseAfter(n uint64) time.Duration {
	return min(time.Second<<min(cmp.Or(n, 1)-1, 6), time.Minute)
}

// Trace is ctx with the trace context that came with the record. Run's handlers
// have it already; of a batch each record has its own, to be linked to.
func (d *Delivery) Trace(ctx context.Context) context.Context { return WithTrace(ctx, d.Msg.Headers()) }

// Newer reports whether r says something later about its person than other
// does: by FetchedAt, and of two answers of one look-up by the event. Across
// processes and streams this is the order of records; keep FetchedAt beside
// what you store, and update only where it is smaller.
func (r *Record) Newer(other *Record) bool {
	if c := r.FetchedAt.Compare(other.FetchedAt); c != 0 {
		return c > 0
	}
	return r.Event.Source.Time.After(other.Event.Source.Time)
}

// Newest keeps of each person of a batch the delivery whose record is the
// newest, in the order of the batch. It settles none.
func Newest(batch []*Delivery) []*Delivery {
	type person struct{ appid, openid string }
	of := func(d *Delivery) person { return person{d.Record.Event.AppID, d.Record.Event.OpenID} }
	best := make(map[person]*Delivery, len(batch))
	for _, d := range batch {
		if b := best[of(d)]; b == nil || d.Record.Newer(&b.Record) {
			best[of(d)] = d
		}
	}
	var kept []*Delivery
	for _, d := range batch {
		if best[of(d)] == d {
			kept = append(kept, d)
		}
	}
	return kept
}
