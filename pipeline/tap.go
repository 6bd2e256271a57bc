package pipeline

import (
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
	closed  bool  // belongs to the loop
	failed  error // why it has ended by itself; to be read when out is closed
}

// open begins to pull.
// Whatever comes has a higher number than order.
func (l *Lane) open(consumer jetstream.Consumer, order uint64) *tap {
	t := &tap{out: make(chan []*delivery), closing: make(chan struct{}), opened: time.Now()}
	r := &reader{tap: t, lane: l, order: order}
	r.durable = consumer.CachedInfo()
	go r.run()
	return t
}

// heartbeat is how often the server is to say that it has a request. The durable
// of a lane among many is looked at instead, by rounds or by itself.
func (l *Lane) heartbeat() time.Duration {
	return max(pullHeartbeat, time.Duration(l.rounds.members())*pullShare)
}

// doubtPull says that the server may have forgotten the lane's pull. If it has said
// nothing for a while either, the pull is made anew. It is safe for concurrent use.
func (l *Lane) doubtPull() { wake(l.unsure) }

// close ends the pulling. What was asked for and is on its way still comes out,
// since it would otherwise stay ours, unseen, until AckWait; then out is closed.
func (t *tap) close() {
	if !t.closed {
		t.closed = true
		close(t.closing)
	}
}

const (
	// pullHeartbeat is how often the server says that it has a request, where a
	// process has few lanes.
	pullHeartbeat = 12 * time.Second
	// pullShare is what each lane adds to that where there are many, so that a
	// process hears five heartbeats a second at most: a thousand lanes' cost half
	// of what they cost when idle.
	pullShare = 200 * time.Millisecond
	// pullExpiry is how long one request stays with the server, at least.
	pullExpiry = 5 * pullHeartbeat / 2
	// pullSilence is how long the server may say nothing if a request is in doubt.
	pullSilence = 5 * pullHeartbeat / 2
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

// errUnheeded ends a tap whose durable does not look as if the server had its
// request: see [Lane.doubtPull].
var errUnheeded = errors.New("the server does not heed it")

// errBack ends a tap whose durable was set back: what it says about an event,
// such as that it was never delivered before, is not to be believed.
var errBack = errors.New("the durable delivers again what it had delivered")

// reader is what the goroutine of a tap knows.
type reader struct {
	*tap
	*pull
	lane    *Lane
	durable *jetstream.ConsumerInfo

	order uint64 // the durable's highest number of a delivery that was read
	back  bool   // it has begun to count anew

	reading *delivery // the latest that was decoded here

	last time.Time // when something came; at first when the tap was opened
	more bool      // the durable had events behind that, as far as we know
}

// run reads until the tap is closed or the durable can be read no more: the
// loop looks what is there then.
func (r *reader) run() {
	defer close(r.out)
	defer r.lane.dying(func() []*delivery { return []*delivery{r.reading} })
	conn := r.lane.js.Conn()
	status := conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING)
	defer conn.RemoveStatusListener(status)
	var err error
	if r.pull, err = newPull(r.lane.js, r.durable, r.lane.prefetch(), r.lane.heartbeat); err == nil {
		err = r.read(status)
		r.drop()
	}
	switch err {
	case nil:
	case errAnew:
		r.lane.log.Debug("the connection is back; pulling anew")
	case errBack:
		r.lane.log.Warn("the durable was set back; what it delivers again is looked for among the answers first")
	default:
		r.failed = err
		r.lane.log.Warn("the pull ended", slog.Any("error", err))
	}
}

func (r *reader) read(status <-chan nats.Status) (err error) {
	closing := r.closing
	quiet := time.NewTimer(0) // nobody heeds it before the tap is closing
	defer quiet.Stop()
	beats := time.NewTimer(pullSilence)
	defer beats.Stop()
	var still <-chan time.Time
	lost := false
	r.last, r.more = r.opened, true
	for {
		switch {
		case r.back:
			err = errBack
		case still == nil:
			err = r.refill()
		case r.open == 0: // and nothing more is asked for
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case msg := <-r.msgs:
			err = r.take(msg)
			if still != nil {
				quiet.Reset(r.quiet())
			}
		case <-closing:
			closing, still = nil, quiet.C
			quiet.Reset(r.quiet())
		case <-still:
			return nil
		case now := <-beats.C: // it is not set anew with each message, which would cost more
			silence := expiry(r.beating)
			err = r.silent(now, silence)
			beats.Reset(max(r.heard.Add(silence).Sub(now), pullQuiet))
		case <-r.lane.unsure:
			if err = r.silent(time.Now(), pullSilence); err != nil {
				err = errUnheeded
			}
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

// take hands over a message and those that have come with it.
func (r *reader) take(msg *nats.Msg) (err error) {
	now := time.Now()
	chunk, err := r.unpack(make([]*delivery, 0, min(tapChunk, 1+len(r.msgs))), msg, now)
	for more := true; more && err == nil && len(chunk) < tapChunk; {
		select {
		case msg := <-r.msgs:
			chunk, err = r.unpack(chunk, msg, now)
		default:
			more = false
		}
	}
	r.deliver(chunk)
	return err
}

// quiet is how long a tap that is closing waits for what may come.
func (r *reader) quiet() time.Duration {
	if r.more {
		return max(pullQuiet, time.Until(r.last.Add(pullMore)))
	}
	return pullQuiet
}

// drop ends the pull and hands over what it has brought.
func (r *reader) drop() {
	_ = r.sub.Unsubscribe() // after that nothing comes any more
	for {
		select {
		case msg := <-r.msgs:
			chunk, _ := r.unpack(nil, msg, time.Now())
			r.deliver(chunk)
		default:
			return
		}
	}
}

// unpack appends what a message that came now is about to chunk. It returns an
// error if the server says that nothing more will come.
func (r *reader) unpack(chunk []*delivery, msg *nats.Msg, now time.Time) ([]*delivery, error) {
	if msg.Reply == "" {
		return chunk, r.status(msg)
	}
	since := r.came(now)
	d, err := r.lane.newDelivery(&pulled{msg, r.conn})
	if err != nil { // not a JetStream message: nothing to ack either
		r.lane.log.Error("a message without JetStream metadata was dropped", slog.Any("error", err))
		return chunk, nil
	}
	r.lane.tracing.begin(d)
	d.taken = since             // it may have waited for us ever since, in this process or on the way
	d.back = d.order <= r.order // it comes on one subscription, where the numbers rise
	r.back = r.back || d.back
	r.order = max(r.order, d.order)
	if d.sealed = r.lane.watched(d); !d.sealed {
		r.reading = d
		d.decode(&r.lane.decoder)
	}
	return append(chunk, d), nil
}

func (r *reader) deliver(chunk []*delivery) {
	if len(chunk) == 0 {
		return
	}
	r.out <- chunk
	r.last, r.more = time.Now(), chunk[len(chunk)-1].pending > 0
	r.heard = r.last // a lane that did not take them is no silence of the server's
}
