package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A Publisher stores messages and says of each whether it is stored. All lanes
// share one, and with it the gate to their start. It is safe for concurrent use.
type Publisher struct {
	js        jetstream.JetStream
	acks      *acks
	binds     gate
	notAtomic atomic.Bool // the output stream does not take atomic batches
}

// publishTimeout is how long a publish may wait for its ack. A killed leader
// leaves its stream without one for 5 to 9 seconds.
const publishTimeout = 20 * time.Second

// maxAtomic is the most messages that a server takes as one batch (ADR-50).
const maxAtomic = 1000

// NewPublisher publishes over nc. The connection should have no reconnect
// buffer: what waits in one leaves late, when its answer may already have been
// given by somebody else.
func NewPublisher(nc *nats.Conn) (*Publisher, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	acks, err := newAcks(nc)
	if err != nil {
		return nil, fmt.Errorf("publisher: acks: %w", err)
	}
	return &Publisher{js: js, acks: acks, binds: make(gate, abreast)}, nil
}

// publish stores n messages and returns one error for each, nil where the server
// has confirmed that it is stored. An error does not mean that a message is not
// stored: publish it again, under the same message id. It asks for a message when
// the one before is on its way and not needed any more; one that cannot be made is
// left out.
func (p *Publisher) publish(n int, message func(i int) (*nats.Msg, error)) []error {
	if n == 0 {
		return nil
	}
	nc := p.js.Conn()
	lost := nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer nc.RemoveStatusListener(lost)
	timeout := time.NewTimer(publishTimeout)
	defer timeout.Stop()

	r := p.acks.begin(n)
	for i := range n {
		if i > 0 && i == n/2 {
			fault("half-published")
		}
		m, err := message(i)
		if err == nil {
			m.Reply = r.subject(i)
			err = nc.PublishMsg(m)
			m.Reply = ""
		}
		if err != nil {
			p.acks.settle(r.id, i, err)
		}
	}
	select {
	case <-r.done:
	case <-lost: // and with it the acks that were on their way
		p.acks.end(r, nats.ErrDisconnected)
	case <-timeout.C:
		p.acks.end(r, errAwaited)
	}
	return r.errs
}

// publishAll is publish for messages that are there.
func (p *Publisher) publishAll(msgs []*nats.Msg) []error {
	return p.publish(len(msgs), func(i int) (*nats.Msg, error) { return msgs[i], nil })
}

// publishAtomic stores all of msgs or none, with one write to disk; the same
// errors as publish. Where a batch cannot be had it publishes singly: one
// message id that the server knows already refuses the whole batch.
func (p *Publisher) publishAtomic(ctx context.Context, msgs []*nats.Msg) []error {
	if len(msgs) < 2 || len(msgs) > maxAtomic || p.notAtomic.Load() {
		return p.publishAll(msgs)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := jetstreamext.PublishMsgBatch(ctx, p.js, msgs, jetstreamext.BatchFlowControl{})
	if err == nil {
		return make([]error, len(msgs))
	}
	if errors.Is(err, jetstreamext.ErrBatchPublishNotEnabled) {
		p.notAtomic.Store(true)
	}
	for _, m := range msgs {
		m.Header.Del(jetstreamext.BatchIDHeader)
		m.Header.Del(jetstreamext.BatchSeqHeader)
		m.Header.Del(jetstreamext.BatchCommitHeader)
	}
	return p.publishAll(msgs)
}

// maxPayload is the largest message that the server takes, headers included.
func (p *Publisher) maxPayload() int { return int(p.js.Conn().MaxPayload()) }
