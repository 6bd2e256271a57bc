package pipeline

import (
	"github.com/wxenrich/wxenrich/events"
)

// A replay may read records in place of events: it encodes them anew, in
// another format, for another subject or in a newer schema. They say what they
// said: no call is made, and fetched_at stays.

// reread makes of a record what is to be answered. What is no record of the
// account's, or is of a replay already, is left as it is: the record of the
// event itself stands for it.
func (l *Lane) reread(msg message) (*delivery, error) {
	d, err := newDelivery(msg)
	if err != nil {
		return nil, err
	}
	r, err := events.ParseRecord(msg.Headers(), msg.Data())
	if d.left = err != nil || r.Replay != "" || r.Event.AppID != l.cfg.AppID; d.left {
		return d, nil
	}
	d.event, d.record = r.Event, &r
	return d, nil
}

// again is a record once more, as one of the task's.
func (l *Lane) again(d *delivery) answer {
	r := *d.record
	r.Replay = l.task.replay()
	return l.encode(d, &r)
}
