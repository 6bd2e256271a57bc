package pipeline

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// A delivery is one input message in our hands. It ends in exactly one way:
// acked, because its answer is stored, or handed back.
type delivery struct {
	msg       message
	seq       uint64 // where the message is in the stream that it was read from
	event     events.Event
	rejection *events.Rejection // not nil: the answer is a dead letter, no look-up
	known     *recentAnswer     // not nil: the answer, looked up for somebody else
	refused   *cause            // not nil: why the openid was refused before
	record    *events.Record    // not nil: the message is a record, which is the answer
	letter    *dead.Letter      // not nil: the message is a dead letter, and this is what it says

	pending    uint64 // how many events the durable had left behind it
	deliveries uint64 // how often it was delivered, as far as the server remembers
	order      uint64 // the durable's number for this delivery
	crashes    int    // it was in hand in so many

	taken time.Time  // it did not come into our hands before
	span  trace.Span // nil if it has none

	left   bool // it is none of the task's
	erased bool // the person is: there is no answer
	back   bool // the durable went back: it has begun to count anew
	sealed bool // it may end the process, and is not decoded yet
	opened bool // it is or was handled in spite of that
	repeat bool // it may have been in others' hands before
	// forgotten: the durable does not know any more what was acknowledged, so
	// that its look-up would be one of many for nothing.
	forgotten bool
	found     found // whether it has an answer already

	stored  outputSet // the outputs that hold its answer, as far as we know
	settled bool      // it is answered for all of them, and the ack is sent
	heir    bool      // it waits for what becomes of a former delivery: see succession
	held    bool      // by hand

	beaten     time.Time // when the server last heard that it is in hand
	prev, next *delivery // in hand.list
}

// found is what a look at the answers has shown of a delivery.
type found uint8

const (
	foundNothing found = iota // nobody has looked
	foundNone
	foundAnswer
)

// newDelivery is a message that is not decoded yet.
func newDelivery(msg message) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	d := &delivery{msg: msg, seq: meta.Sequence.Stream, pending: meta.NumPending, deliveries: meta.NumDelivered, order: meta.Sequence.Consumer}
	d.event.Source = events.Source{
		Stream:  meta.Stream,
		Seq:     meta.Sequence.Stream,
		Time:    meta.Timestamp,
		Subject: msg.Subject(),
	}
	return d, nil
}

// decode reads the event. One that cannot be decoded is a delivery like any
// other: it has an answer too.
func (d *delivery) decode(dec *events.Decoder) {
	if d.record != nil {
		return
	}
	var err error
	d.event, err = dec.Decode(d.original())
	d.rejection, _ = errors.AsType[*events.Rejection](err) // it is never another one
}

// label reads what a dead letter needs of an event, and nothing of its body.
func (d *delivery) label(dec *events.Decoder) {
	m := events.Message{Source: d.event.Source}
	if id := d.original().Header.Get(events.HeaderMsgID); id != "" {
		m.Header = nats.Header{events.HeaderMsgID: {id}}
	}
	d.event, _ = dec.Decode(m) // no openid in it
}

// handBack gives the message to whoever pulls next, this replica included. An
// error needs no handling: without the nak the server waits for AckWait.
func (d *delivery) handBack() {
	_ = d.msg.Nak()
	d.ended("handed_back")
}

// hand holds all deliveries in hand, ordered by when the server last heard of
// them. It belongs to the lane's loop.
type hand struct {
	head, tail *delivery
	n          int
	bytes      int // of their payloads
}

func (h *hand) add(d *delivery, now time.Time) {
	d.held, d.beaten = true, now
	d.prev, d.next = h.tail, nil
	if h.tail != nil {
		h.tail.next = d
	} else {
		h.head = d
	}
	h.tail = d
	h.n++
	h.bytes += len(d.msg.Data())
}

func (h *hand) remove(d *delivery) {
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		h.head = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		h.tail = d.prev
	}
	d.held, d.prev, d.next = false, nil, nil
	h.n--
	h.bytes -= len(d.msg.Data())
}

// beat tells the server of every delivery it has not heard of since before
// that it is still in hand, so that it does not deliver it to somebody else.
func (h *hand) beat(before, now time.Time) {
	for d := h.head; d != nil && !d.beaten.After(before); d = h.head {
		// A lost beat shows as a redelivery; the message id makes it harmless.
		_ = d.msg.InProgress()
		h.remove(d)
		h.add(d, now)
	}
}
