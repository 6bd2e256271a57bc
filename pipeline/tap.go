package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A tap is an open pull on the durable, and the goroutine that reads it. Its
// channel is unbuffered, so a lane that does not read stops the pulling.
//
// It asks for one chunk after the other instead of using the client's endless
// iterator: whoever closes an iterator leaves behind what the server has sent
// and the client has not seen, for as long as AckWait, and a full buffer drops
// what an overlapping pull brings (nats.go 1.55).
type tap struct {
	out     chan []*delivery // what came together, up to tapChunk
	closing chan struct{}
	opened  time.Time
	closed  bool // belongs to the loop
}

// open begins to pull.
// Whatever comes has a higher number than order.
func (l *Lane) open(consumer jetstream.Consumer, order uint64) *tap {
	t := &tap{out: make(chan []*delivery), closing: make(chan struct{}), opened: time.Now()}
	r := &reader{tap: t, lane: l, consumer: consumer, size: l.prefetch(), order: order}
	go r.run()
	return t
}

// close ends the pulling. What was asked for and is on its way still comes out,
// since it would otherwise stay ours, unseen, until AckWait; then out is closed.
func (t *tap) close() {
	if !t.closed {
		t.closed = true
		close(t.closing)
	}
}

const (
	// pullExpiry is how long one request stays with the server.
	pullExpiry = 30 * time.Second
	// pullHeartbeat is how often the server says meanwhile that it has it.
	pullHeartbeat = 12 * time.Second
	// pullQuiet is how long nothing may come until what was asked for is taken
	// for not on its way.
	pullQuiet = 20 * time.Millisecond
	// tapChunk is how many events are handed over at once: enough for that to cost
	// less than the events do.
	tapChunk = 32
	// pullMore is the same where the durable is known to have more: it sends
	// that as fast as it can, and only a slow machine lets it wait.
	pullMore = time.Second
)

// errAnew ends a tap whose requests the server has forgotten.
var errAnew = errors.New("reconnected")

// errBack ends a tap whose durable was set back: what it says about an event,
// such as that it was never delivered before, is not to be believed.
var errBack = errors.New("the durable delivers again what it had delivered")

// reader is what the goroutine of a tap knows.
type reader struct {
	*tap
	lane     *Lane
	consumer jetstream.Consumer
	size     int

	now  request // what is being read
	next request // asked for when half of that has come, so that the server need not wait
	got  int     // since then

	order uint64 // the durable's highest number of a delivery that was read
	back  bool   // it has begun to count anew

	reading *delivery // the latest that was decoded here

	last time.Time // when something came; at first when the tap was opened
	more bool      // the durable had events behind that, as far as we know
}

// request is one request for a chunk; the zero request is none.
type request struct {
	jetstream.MessageBatch
	asked  time.Time
	cancel context.CancelFunc
	order  uint64 // of its latest delivery; at first of all that were read before it was made
}

// messages never has anything if there is no request.
func (q request) messages() <-chan jetstream.Msg {
	if q.MessageBatch == nil {
		return nil
	}
	return q.Messages()
}

// end releases a request that has ended.
func (q *request) end() error {
	err := q.Error()
	q.cancel()
	*q = request{}
	return err
}

func (r *reader) ask() (request, error) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), pullExpiry)
	batch, err := r.consumer.Fetch(r.size, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(pullHeartbeat))
	if err != nil {
		cancel()
	}
	return request{batch, asked, cancel, r.order}, err
}

// run reads until the tap is closed or the durable can be read no more: the
// loop looks what is there then.
func (r *reader) run() {
	defer close(r.out)
	defer r.lane.dying(func() []*delivery { return []*delivery{r.reading} })
	conn := r.lane.js.Conn()
	status := conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING)
	defer conn.RemoveStatusListener(status)
	switch err := r.read(status); err {
	case nil:
	case errAnew:
		r.lane.log.Debug("the connection is back; pulling anew")
	case errBack:
		r.lane.log.Warn("the durable was set back; what it delivers again is looked for among the answers first")
	default:
		r.lane.log.Warn("the pull ended", slog.Any("error", err))
	}
	for _, left := range []request{r.now, r.next} {
		r.drop(left)
	}
}

func (r *reader) read(status <-chan nats.Status) (err error) {
	closing := r.closing
	quiet := time.NewTimer(0) // nobody heeds it before the tap is closing
	defer quiet.Stop()
	var still <-chan time.Time
	lost := false
	r.last, r.more = r.opened, true
	for {
		if r.now.MessageBatch == nil {
			r.now, r.next, r.got = r.next, request{}, 0
		}
		switch {
		case still != nil: // nothing more is asked for
			if r.now.MessageBatch == nil {
				return nil
			}
		case r.now.MessageBatch == nil:
			r.now, err = r.ask()
		case r.next.MessageBatch == nil && r.got >= (r.size+1)/2:
			r.next, err = r.ask()
			r.got = 0
		}
		if err == nil && r.back {
			err = errBack
		}
		if err != nil {
			return err
		}
		// The server takes turns between what it was asked for.
		select {
		case msg, ok := <-r.now.messages():
			if !ok {
				err = r.now.end()
				break
			}
			r.take(msg, &r.now, still, quiet)
		case msg, ok := <-r.next.messages():
			if !ok {
				err = r.next.end()
				break
			}
			r.take(msg, &r.next, still, quiet)
		case <-closing:
			closing, still = nil, quiet.C
			quiet.Reset(r.quiet())
		case <-still:
			return nil
		case s := <-status:
			if s == nats.RECONNECTING {
				lost = true
			} else if lost {
				return errAnew
			}
		}
		if err != nil {
			return err
		}
	}
}

// take hands over a message and those that have come with it; a tap that is
// closing waits for others behind them.
func (r *reader) take(msg jetstream.Msg, from *request, still <-chan time.Time, quiet *time.Timer) {
	chunk := r.unpack(nil, msg, from)
	for more := true; more && len(chunk) < tapChunk; {
		select {
		case msg, ok := <-from.messages():
			if more = ok; ok {
				chunk = r.unpack(chunk, msg, from)
			}
		default:
			more = false
		}
	}
	r.got += len(chunk)
	r.deliver(chunk)
	if still != nil {
		quiet.Reset(r.quiet())
	}
}

// quiet is how long a tap that is closing waits for what may come.
func (r *reader) quiet() time.Duration {
	if r.more {
		return max(pullQuiet, time.Until(r.last.Add(pullMore)))
	}
	return pullQuiet
}

// drop gives up a request and hands over what it has brought.
func (r *reader) drop(q request) {
	if q.MessageBatch == nil {
		return
	}
	q.cancel()
	for msg := range q.Messages() {
		r.deliver(r.unpack(nil, msg, &q))
	}
}

// unpack appends what a message is about to chunk.
func (r *reader) unpack(chunk []*delivery, msg jetstream.Msg, from *request) []*delivery {
	d, err := r.lane.newDelivery(msg)
	if err != nil { // not a JetStream message: nothing to ack either
		r.lane.log.Error("a message without JetStream metadata was dropped", slog.Any("error", err))
		return chunk
	}
	r.lane.tracing.begin(d)
	d.taken = from.asked // it may have waited for us ever since, in this process or on the way
	// Requests overlap, but within one the numbers rise.
	d.back = d.order <= from.order
	r.back = r.back || d.back
	from.order, r.order = d.order, max(r.order, d.order)
	if d.sealed = r.lane.watched(d); !d.sealed {
		r.reading = d
		d.decode(&r.lane.decoder)
	}
	return append(chunk, d)
}

func (r *reader) deliver(chunk []*delivery) {
	if len(chunk) == 0 {
		return
	}
	r.out <- chunk
	r.last, r.more = time.Now(), chunk[len(chunk)-1].pending > 0
}
