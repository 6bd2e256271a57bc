package plan

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Kind is what a stream of answers holds.
type Kind string

// The kinds of answers.
const (
	Records     Kind = "records"
	DeadLetters Kind = "dead letters"
)

// Answers checks a stream that the lane publishes to, beside the input's.
func Answers(l Lane, kind Kind, c, input jetstream.StreamConfig) []Finding {
	r := stream(&c)
	r.unfit(&c)
	r.forgetful(&l, &c, &input)
	if c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0) {
		r.note(Info, "max_bytes, max_msgs", fmt.Sprintf("%d, %d", c.MaxBytes, c.MaxMsgs), nil, "",
			"when the stream is full no answer is stored until there is room, and the events wait in the input")
	}
	if l.Atomic && !c.AllowAtomicPublish {
		r.add(Warn, "allow_atomic", false, true, "--allow-batch", "output.publish is atomic; every batch is refused and published message by message, which is several times slower")
	}
	if c.Replicas < input.Replicas {
		r.add(Warn, "num_replicas", c.Replicas, input.Replicas, fmt.Sprintf("--replicas %d", input.Replicas),
			fmt.Sprintf("an event that %d servers keep is acknowledged when %d has its answer", input.Replicas, c.Replicas))
	}
	need := int32(l.MaxPayload + headroom)
	why := "a dead letter carries the event's own bytes; one that does not fit cannot be stored, and its event is never settled"
	if kind == Records {
		need, why = roomyRecord, "a longer record becomes a dead letter too_large"
	}
	if c.MaxMsgSize > 0 && c.MaxMsgSize < need {
		r.add(Warn, "max_msg_size", c.MaxMsgSize, need, fmt.Sprintf("--max-msg-size %d", need), why)
	}
	r.storage(&c, "all "+string(kind)+", whose events are acknowledged")
	return r.all
}

// unfit is a stream that cannot keep an answer, or says that it has before it
// does.
func (r *report) unfit(c *jetstream.StreamConfig) {
	if c.Mirror != nil {
		r.note(Refuse, "mirror", c.Mirror.Name, nil, "publish to "+c.Mirror.Name+" instead", "nothing can be published to a mirror")
	}
	if c.Sealed {
		r.note(Refuse, "sealed", true, false, "name another stream: a seal cannot be broken", "nothing can be published to it")
	}
	if c.NoAck {
		r.add(Refuse, "no_ack", true, false, "--ack", "nobody is told that an answer is stored, so no event can be acknowledged")
	}
	if c.PersistMode == jetstream.AsyncPersistMode {
		r.note(Refuse, "persist_mode", "async", "default", "name another stream: the mode of one that exists cannot be changed",
			"the server confirms an answer before it writes it, and forgets it when it is killed")
	}
	switch c.Retention {
	case jetstream.WorkQueuePolicy:
		r.note(Refuse, "retention", c.Retention, jetstream.LimitsPolicy, "name another stream, and feed this one from it: nats stream add "+c.Name+" --source NAME",
			"it forgets what was answered as soon as somebody consumes it: repeats are not recognised after a restart")
	case jetstream.InterestPolicy:
		r.add(Refuse, "retention", c.Retention, jetstream.LimitsPolicy, "--retention limits",
			"it drops every answer that no consumer waits for, and forgets the others as soon as they are consumed")
	}
}

// forgetful is a stream that does not know an answer any more when the event
// comes again.
func (r *report) forgetful(l *Lane, c, input *jetstream.StreamConfig) {
	if need := l.AckWait + l.budget(); c.Duplicates > 0 && c.Duplicates < need {
		r.add(Warn, "duplicate_window", c.Duplicates, span(need)+" or more", "--dupe-window "+span(need),
			"when a replica dies its events come again later than that; each time all answers since have to be read")
	}
	if c.MaxAge > 0 && (input.MaxAge == 0 || c.MaxAge < input.MaxAge) {
		least, option := span(input.MaxAge)+" or more", span(input.MaxAge)
		if input.MaxAge == 0 {
			least, option = "none, as the input", "0s"
		}
		r.add(Warn, "max_age", c.MaxAge, least, "--max-age "+option,
			"an event outlives its answer: if it comes again after that it is answered twice, and no audit can tell")
	}
	if c.Discard == jetstream.DiscardOld && (c.MaxBytes > 0 || c.MaxMsgs > 0) {
		r.add(Warn, "discard", fmt.Sprintf("old, with max_bytes %d and max_msgs %d", c.MaxBytes, c.MaxMsgs), "new", "--discard new",
			"when the stream is full the oldest answers are dropped, read or not; an event that comes again is answered twice")
	}
	switch {
	case c.MaxMsgsPerSubject <= 0:
	case c.DiscardNewPerSubject:
		r.add(Warn, "discard_new_per_subject", true, false, "--max-msgs-per-subject=-1 --no-discard-per-subject",
			fmt.Sprintf("after %d answers a subject takes none, and their events wait for ever", c.MaxMsgsPerSubject))
	default:
		r.add(Warn, "max_msgs_per_subject", c.MaxMsgsPerSubject, "none", "--max-msgs-per-subject=-1",
			"an answer is forgotten when the next of its subject comes; an event that comes again is answered twice")
	}
	if c.SubjectTransform != nil {
		r.add(Warn, "subject_transform", c.SubjectTransform.Destination, "none", "--no-transform",
			"answers are stored under another subject than they are looked for: events that come again are answered twice")
	}
}
