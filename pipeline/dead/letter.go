package dead

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

// Letter is a dead letter where it is stored.
type Letter struct {
	events.DeadLetter
	Seq     uint64 // in the stream of dead letters
	Stored  time.Time
	Subject string
}

// Parse reads a message; ok is false for one that is no dead letter.
func Parse(seq uint64, stored time.Time, subject string, h nats.Header, data []byte) (l Letter, ok bool) {
	d, err := events.ParseDeadLetter(h, data)
	return Letter{DeadLetter: d, Seq: seq, Stored: stored.UTC(), Subject: subject}, err == nil
}

// Event is the letter's event as d reads it today, which may be better than
// when it died.
func (l *Letter) Event(d *events.Decoder) (events.Event, error) {
	return d.Decode(l.Message)
}

// Redrivable reports whether the letter's event can be tried again: all of it
// is there, and fewer redrives than maxHops have led to it.
func (l *Letter) Redrivable(maxHops int) bool { return l.Truncated == 0 && l.Hop < maxHops }
