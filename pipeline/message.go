package pipeline

import (
	"math/bits"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

// message is the answer as it is published. A record's is in the envelope, and
// stays as it is until that is filled again.
func (l *Lane) message(a *answer, envelope *events.Envelope) (*nats.Msg, error) {
	msg := a.letter
	if msg == nil {
		r := l.recordOf(a)
		if err := l.cfg.Outputs[bits.TrailingZeros8(uint8(a.fills))].fill(envelope, &r); err != nil {
			return nil, &unwritable{err}
		}
		msg = &envelope.Msg
	}
	a.delivery.noteDeliveries(msg.Header)
	a.passTrace(msg.Header)
	return msg, nil
}

// recordOf is the record that an answer stands for.
func (l *Lane) recordOf(a *answer) events.Record {
	d := a.delivery
	if d.record != nil { // once more, as one of the task's
		r := *d.record
		r.Replay = l.task.replay()
		return r
	}
	r := events.Record{Event: d.event, Replay: l.generation(d), Hop: d.hop()}
	u := a.said.user
	if u == nil {
		// An unsubscribe event is all there is to know. It is as true as of the
		// moment it was stored, and orders by that against look-ups.
		r.Status, r.FetchedAt = events.Unsubscribed, d.event.Source.Time
		return r
	}
	r.Status = events.Following
	if u.Subscribe == 0 {
		r.Status = events.NotFollowing
	}
	r.UnionID, r.User.Raw = u.UnionID, events.CheckedJSON(u.Raw)
	r.Lang, r.FetchedAt, r.Source, r.Marker = l.langOf(&d.event), a.said.began, a.said.source, a.said.marker
	return r
}

// unwritable is why a record cannot be written down.
type unwritable struct{ error }

func (e *unwritable) Unwrap() error { return e.error }

// inPlace is the answer in place of a record that cannot be written down; other
// outputs may take theirs.
func (l *Lane) inPlace(a answer, why *unwritable) answer {
	return l.dead(a, &cause{reason: events.Unresolved, detail: why.Error()}, 0)
}

// smaller is the answer in place of one that the server does not take. A
// dead letter is larger than its input by its headers: what cannot be stored
// of the original is cut, and it says so.
func (l *Lane) smaller(a answer) answer {
	if a.cause == nil {
		return l.dead(a, &cause{reason: events.TooLarge, detail: "the record is larger than the output takes"}, 0)
	}
	return l.dead(a, a.cause, min(l.out.maxPayload(), a.letter.Size()/2))
}

// dead is a dead letter in place of an answer, for the same outputs.
func (l *Lane) dead(a answer, why *cause, limit int) answer {
	letter := l.deadLetter(a.delivery, why, limit)
	letter.fills = a.fills
	l.tracing.create(&letter, l.generation(a.delivery))
	return letter
}

// noteDeliveries leaves a trace of how often an event came, for whoever has to
// explain it: the server forgets that with the acknowledgement.
func (d *delivery) noteDeliveries(h nats.Header) {
	if d.deliveries > 1 && d.letter == nil {
		h[events.HeaderDeliveries] = []string{strconv.FormatUint(d.deliveries, 10)}
	}
}
