package pipeline

import (
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A tap is an open pull on the durable, and the goroutine that reads it. Its
// channel is unbuffered, so a lane that does not read stops the pulling.
type tap struct {
	out    chan *delivery
	iter   jetstream.MessagesContext
	closed bool
}

// open begins to pull.
func (l *Lane) open(consumer jetstream.Consumer) (*tap, error) {
	iter, err := consumer.Messages(
		jetstream.PullMaxMessages(l.cfg.prefetch()),
		jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return nil, err
	}
	t := &tap{out: make(chan *delivery), iter: iter}
	go t.read(l)
	return t, nil
}

// pullExpiry is how long one pull request stays with the server; at half of
// it the server sends a heartbeat.
const pullExpiry = 30 * time.Second

// close ends the pulling. What the client has buffered still comes out, since
// it would otherwise stay ours, unseen, until AckWait; then out is closed.
func (t *tap) close() {
	if !t.closed {
		t.closed = true
		t.iter.Drain()
	}
}

// read hands messages over until the iterator ends.
func (t *tap) read(l *Lane) {
	defer close(t.out)
	for {
		msg, err := t.iter.Next()
		switch {
		case err == nil:
			d, err := newDelivery(&l.decoder, msg)
			if err != nil { // not a JetStream message: nothing to ack either
				l.log.Error("a message without JetStream metadata was dropped", slog.Any("error", err))
				continue
			}
			t.out <- d
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return
		default:
			// No heartbeat, or the durable, its stream or the connection is gone:
			// the loop looks what is there now. What is buffered is still ours.
			l.log.Warn("the pull ended", slog.Any("error", err))
			t.iter.Drain()
		}
	}
}
