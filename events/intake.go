package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// intake asks for records and keeps those that have come until they are
// settled: it tells the server that they are in good hands, also those that
// only wait.
type intake struct {
	consumer jetstream.Consumer
	queue    chan *Delivery
	taken    chan struct{} // somebody took from the queue

	mu   sync.Mutex
	held map[*Delivery]struct{}
}

func newIntake(c jetstream.Consumer, size int) *intake {
	return &intake{consumer: c, queue: make(chan *Delivery, size), taken: make(chan struct{}, 1), held: make(map[*Delivery]struct{})}
}

// pull fills the queue until ctx ends, and closes it. It returns an error if
// there is nothing to pull from any more; a server that is away is waited for.
func (in *intake) pull(ctx context.Context) error {
	defer close(in.queue)
	for ctx.Err() == nil {
		if room := cap(in.queue) - len(in.queue); room < (cap(in.queue)+1)/2 {
			select {
			case <-in.taken:
			case <-ctx.Done():
			}
			continue
		}
		err := in.fetch(ctx, cap(in.queue)-len(in.queue))
		if err == nil || ctx.Err() != nil {
			continue
		}
		if errors.Is(err, nats.ErrConnectionClosed) || !in.exists(ctx) {
			return err
		}
		select {
		case <-time.After(requestPause):
		case <-ctx.Done():
		}
	}
	return nil
}

func (in *intake) fetch(ctx context.Context, n int) error {
	batch, err := in.consumer.Fetch(n, jetstream.FetchContext(ctx))
	if err != nil {
		return err
	}
	for msg := range batch.Messages() {
		d := &Delivery{Msg: msg, Deliveries: 1, in: in}
		if meta, err := msg.Metadata(); err == nil {
			d.Deliveries = meta.NumDelivered
		}
		in.mu.Lock()
		in.held[d] = struct{}{}
		in.mu.Unlock()
		in.queue <- d
	}
	return batch.Error()
}

// exists is false only if the server says so.
func (in *intake) exists(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := in.consumer.Info(ctx)
	return !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound)
}

// next takes one record; nil says that there are no more, or that ctx ended.
func (in *intake) next(ctx context.Context) *Delivery {
	select {
	case d := <-in.queue:
		select {
		case in.taken <- struct{}{}:
		default:
		}
		return d
	case <-ctx.Done():
		return nil
	}
}

// handBackAfter lets the server hear first that nobody asks here any more: a
// record that is given back before would come here again, and be lost for an
// ack wait.
const handBackAfter = 100 * time.Millisecond

// handBack gives back what is in the queue, when pull has returned.
func (in *intake) handBack() {
	for d := range in.queue {
		in.release(d)
		_ = d.Msg.NakWithDelay(handBackAfter) // an error costs an ack wait
	}
}

func (in *intake) release(d *Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.held, d)
}

// beat keeps all that is held from being delivered again, until ctx ends.
func (in *intake) beat(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			in.mu.Lock()
			for d := range in.held {
				_ = d.Msg.InProgress()
			}
			in.mu.Unlock()
		}
	}
}
