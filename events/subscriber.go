package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SubscriberConfig says which records a Subscriber gets and how. Only Durable
// is needed.
type SubscriberConfig struct {
	Durable string // name of the durable consumer; all who use the name share its records
	Stream  string // default WX_PROFILES
	// Subjects filters; default everything in the stream. As the rest of what
	// follows up to AckWait it only counts when the durable is made.
	Subjects []string
	// Since makes a new durable begin with records stored then; default the
	// first there is.
	Since time.Time
	// AckWait is after how long the server gives up a client that it does not
	// hear of, and delivers its records to another; default 30 s. A handler may
	// take longer: the Subscriber tells the server.
	AckWait time.Duration

	// Concurrency is how many handlers run at once; default 1, which keeps the
	// order of the stream.
	Concurrency int
	// Batch and Wait are for RunBatches: how many records at most, default 100,
	// and how long to wait for them after the first, default 100 ms.
	Batch int
	Wait  time.Duration
	// Remember is how many events a Subscriber knows after it has handled them,
	// so that a second record for one is acked without the handler; default 0,
	// none. It is memory of this process: only a store of your own, with the
	// Nats-Msg-Id or the event's id as its key, knows more.
	Remember int
	// Grace is how long handlers may go on after the end of Run's context,
	// before their own ends; default 25 s.
	Grace time.Duration
	// Unreadable is told of messages that are no record of a schema known here;
	// what it returns counts as a handler's result. Default: a warning by
	// slog, and no further delivery.
	Unreadable func(msg jetstream.Msg, err error) error
}

// Subscriber hands records to a handler, typed whatever their encoding, and
// settles them by what it returns: nil acks, RetryAfter has it again later, any
// other error too after a while, Discard never again. Delivery is at least
// once: handle a record that comes a second time.
type Subscriber struct {
	consumer jetstream.Consumer
	cfg      SubscriberConfig
	ackWait  time.Duration // as the durable has it
	seen     *memory       // nil without Remember
}

// NewSubscriber finds the durable, or makes it; it never changes one.
func NewSubscriber(ctx context.Context, js jetstream.JetStream, cfg SubscriberConfig) (*Subscriber, error) {
	cfg.Stream = cmp.Or(cfg.Stream, "WX_PROFILES")
	cfg.AckWait = cmp.Or(cfg.AckWait, 30*time.Second)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 1)
	cfg.Batch = cmp.Or(cfg.Batch, 100)
	cfg.Wait = cmp.Or(cfg.Wait, 100*time.Millisecond)
	cfg.Grace = cmp.Or(cfg.Grace, 25*time.Second)
	if cfg.Unreadable == nil {
		cfg.Unreadable = func(msg jetstream.Msg, err error) error {
			slog.Warn("passed over a message that is no record", "subject", msg.Subject(), "error", err)
			return Discard(err)
		}
	}
	if cfg.Durable == "" {
		return nil, errors.New("events: subscriber: Durable is empty")
	}
	if cfg.Concurrency < 0 || cfg.Batch < 0 || cfg.Remember < 0 || cfg.AckWait < 0 || cfg.Wait < 0 || cfg.Grace < 0 {
		return nil, fmt.Errorf("events: subscriber %s: a setting is below 0", cfg.Durable)
	}
	consumer, err := js.Consumer(ctx, cfg.Stream, cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c := jetstream.ConsumerConfig{
			Durable: cfg.Durable, FilterSubjects: cfg.Subjects, AckPolicy: jetstream.AckExplicitPolicy, AckWait: cfg.AckWait,
		}
		if !cfg.Since.IsZero() {
			c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &cfg.Since
		}
		consumer, err = js.CreateConsumer(ctx, cfg.Stream, c)
	}
	if err != nil {
		return nil, fmt.Errorf("events: subscriber %s on %s: %w", cfg.Durable, cfg.Stream, err)
	}
	has := consumer.CachedInfo().Config
	if has.AckPolicy != jetstream.AckExplicitPolicy || has.DeliverSubject != "" {
		return nil, fmt.Errorf("events: subscriber %s on %s: want a pull consumer with explicit acks", cfg.Durable, cfg.Stream)
	}
	s := &Subscriber{consumer: consumer, cfg: cfg, ackWait: cmp.Or(has.AckWait, cfg.AckWait)}
	if cfg.Remember > 0 {
		s.seen = newMemory(cfg.Remember)
	}
	return s, nil
}

// Run hands records to handle one by one until ctx ends. It then stops asking
// for records, gives back those that wait in the client, lets handlers finish
// (Grace), and returns nil. The context of a handler carries the record's trace
// context, and does not end with ctx.
func (s *Subscriber) Run(ctx context.Context, handle func(context.Context, *Delivery) error) error {
	return s.run(ctx, 1, 0, func(ctx context.Context, batch []*Delivery) {
		d := batch[0]
		d.Settle(handle(d.Trace(ctx), d))
	})
}

// RunBatches is Run with up to Batch records at once. What handle has not
// settled itself (Delivery.Settle) is settled by what it returns.
func (s *Subscriber) RunBatches(ctx context.Context, handle func(context.Context, []*Delivery) error) error {
	return s.run(ctx, s.cfg.Batch, s.cfg.Wait, func(ctx context.Context, batch []*Delivery) {
		err := handle(ctx, batch)
		for _, d := range batch {
			d.Settle(err)
		}
	})
}

func (s *Subscriber) run(ctx context.Context, size int, wait time.Duration, handle func(context.Context, []*Delivery)) error {
	in := newIntake(s.consumer, max(minQueue, size*s.cfg.Concurrency))
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	pulling, stop := context.WithCancel(ctx)
	defer stop()
	pulled := make(chan error, 1)
	go func() { pulled <- in.pull(pulling) }()
	go in.beat(work, s.ackWait/3)

	slots := make(chan struct{}, s.cfg.Concurrency)
	var handlers sync.WaitGroup
	for more := true; more; {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			more = false
			continue
		}
		var batch []*Delivery
		batch, more = s.collect(ctx, in, size, wait)
		handlers.Go(func() {
			defer func() { <-slots }()
			if len(batch) > 0 {
				handle(work, batch)
			}
		})
	}
	stop()
	err := <-pulled
	in.handBack()
	grace := time.AfterFunc(s.cfg.Grace, end)
	handlers.Wait()
	grace.Stop()
	if err != nil {
		return fmt.Errorf("events: subscriber %s: %w", s.cfg.Durable, err)
	}
	return nil
}

// minQueue keeps a round trip from standing between two records.
const minQueue = 16

// collect waits for one record, and a little for more. more is false when there
// will be none.
func (s *Subscriber) collect(ctx context.Context, in *intake, size int, wait time.Duration) (batch []*Delivery, more bool) {
	until := ctx
	for len(batch) < size {
		d := in.next(until)
		if d == nil {
			return batch, ctx.Err() == nil && until.Err() != nil
		}
		if !s.read(d) {
			continue
		}
		if batch = append(batch, d); len(batch) == 1 && size > 1 {
			var cancel context.CancelFunc
			until, cancel = context.WithTimeout(ctx, wait)
			defer cancel()
		}
	}
	return batch, true
}

// read parses a message; false is for one that it has settled already.
func (s *Subscriber) read(d *Delivery) bool {
	var err error
	if d.Record, err = ParseRecord(d.Msg.Headers(), d.Msg.Data()); err != nil {
		d.Settle(s.cfg.Unreadable(d.Msg, err))
		return false
	}
	if s.seen == nil {
		return true
	}
	key := eventKey{d.Record.Event.AppID, d.Record.Event.ID, d.Record.Replay}
	switch s.seen.begin(key) {
	case handled:
		d.Settle(nil)
		return false
	case inHand:
		d.Settle(RetryAfter(time.Second, errors.New("its like is in hand")))
		return false
	}
	d.settled = func(ok bool) { s.seen.end(key, ok) }
	return true
}
