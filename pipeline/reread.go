package pipeline

import (
	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

// A replay may read records in place of events: it encodes them anew, in
// another format, for another subject or in a newer schema. They say what they
// said: no call is made, and fetched_at stays.

// reread makes of a record what is to be answered.
func (l *Lane) reread(msg message) (*delivery, error) {
	d, err := newDelivery(msg)
	if err != nil {
		return nil, err
	}
	r, ok := rereadable(l.cfg.AppID, msg.Headers(), msg.Data())
	if d.left = !ok; d.left {
		return d, nil
	}
	d.event, d.record = r.Event, &r
	return d, nil
}

// rereadable is a record of an account's, of an event itself: what is of a replay
// is left as it is, since that one stands for it.
func rereadable(appid string, h nats.Header, data []byte) (events.Record, bool) {
	r, err := events.ParseRecord(h, data)
	return r, err == nil && r.Replay == "" && r.Event.AppID == appid
}
