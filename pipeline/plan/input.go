package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// stream begins a report on a stream.
func stream(c *jetstream.StreamConfig) report {
	return report{about: "stream " + c.Name, edit: "nats stream edit " + c.Name}
}

// Input checks the stream of the events.
func Input(l Lane, c jetstream.StreamConfig) []Finding {
	r := stream(&c)
	if c.NoAck {
		r.add(Refuse, "no_ack", true, false, "--ack", "producers are never told whether their event was stored")
	}
	r.inputLimits(&l, &c)
	r.inputAge(&l, &c)
	r.moved(&l, &c)
	switch c.Retention {
	case jetstream.WorkQueuePolicy:
		r.note(Warn, "retention", c.Retention, jetstream.LimitsPolicy, "copy to a stream with limits: nats stream add NAME --source "+c.Name,
			"an event is deleted when it is acknowledged: it cannot be replayed, and no audit finds what is missing")
	case jetstream.InterestPolicy:
		if l.InMemory {
			r.add(Refuse, "retention", c.Retention, jetstream.LimitsPolicy, "--retention limits",
				"a restart of the server forgets the durable (input.durable_storage: memory), and drops the events in which nobody else is interested")
			break
		}
		r.add(Warn, "retention", c.Retention, jetstream.LimitsPolicy, "--retention limits",
			"an event is deleted when it is acknowledged, and dropped at once while the durable does not exist; nothing can be replayed")
	}
	if c.Sealed {
		r.note(Warn, "sealed", true, false, "set input.stream to another one: a seal cannot be broken", "no producer can store an event")
	}
	if c.Mirror != nil {
		r.note(Info, "mirror", c.Mirror.Name, nil, "", "events come with the delay of the mirror")
	}
	if limit := c.ConsumerLimits.MaxAckPending; limit > 0 && limit < l.MaxAckPending {
		r.note(Warn, "consumer_limits.max_ack_pending", limit, l.MaxAckPending, fmt.Sprintf("%s --interactive, or set input.max_ack_pending to %d", r.edit, limit),
			"the server makes no durable with as much room as four replicas need")
	}
	r.storage(&c, "every event that is not answered")
	if c.Replicas <= 1 && c.Storage == jetstream.FileStorage {
		r.note(Info, "num_replicas", max(1, c.Replicas), nil, "sync_interval: always in the server's jetstream block, or three replicas of every stream on independent power",
			"a power cut loses what was stored within sync_interval, which no client can see and is two minutes by default")
	}
	return r.all
}

// moved is about events that are stored under another subject than the durable
// listens to.
func (r *report) moved(l *Lane, c *jetstream.StreamConfig) {
	t := c.SubjectTransform
	if t == nil {
		return
	}
	var lost []string
	for _, subject := range l.Subjects {
		if t.Source == "" || events.Captures(t.Source, subject) {
			lost = append(lost, subject)
		}
	}
	stored := wildcards(t.Destination)
	arrives := func(subject string) bool { return events.Captures(stored, subject) }
	if len(lost) > 0 && !slices.ContainsFunc(l.Subjects, arrives) {
		r.add(Warn, "subject_transform", t.Destination, "none", "--no-transform, or set input.subject to what is stored",
			fmt.Sprintf("what is published to %s is stored under another subject: the durable delivers none of it, and nothing answers it",
				strings.Join(lost, " ")))
	}
}

// mapped is a token of a subject that a transform fills in.
var mapped = regexp.MustCompile(`\{\{.*?\}\}|\$\d+`)

// wildcards is all subjects that a transform's destination stands for.
func wildcards(destination string) string {
	tokens := strings.Split(mapped.ReplaceAllString(destination, "{}"), ".")
	for i, token := range tokens {
		if strings.Contains(token, "{}") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// leastEvent is about what the smallest event takes in a stream, in bytes.
const leastEvent = 100

// inputLimits is about events that are pushed out by others.
func (r *report) inputLimits(l *Lane, c *jetstream.StreamConfig) {
	if c.Discard == jetstream.DiscardOld {
		r.limit(l, "max_msgs", c.MaxMsgs, "--discard new")
		switch least := leastEvent * int64(l.MaxAckPending); {
		case c.MaxBytes <= 0:
		case c.MaxBytes < least:
			r.add(Refuse, "max_bytes", c.MaxBytes, fmt.Sprintf("none, or %d at least", least), "--discard new",
				"events are dropped that replicas have in hand, before they are answered")
		default:
			r.add(Warn, "discard", "old, with max_bytes "+fmt.Sprint(c.MaxBytes), "new", "--discard new",
				"when the stream is full the oldest events are dropped, answered or not")
		}
	}
	if !c.DiscardNewPerSubject {
		r.limit(l, "max_msgs_per_subject", c.MaxMsgsPerSubject, "--max-msgs-per-subject=-1")
	}
}

// limit is a number of events beyond which the oldest goes.
func (r *report) limit(l *Lane, field string, limit int64, options string) {
	switch {
	case limit <= 0:
	case limit < int64(l.MaxAckPending):
		r.add(Refuse, field, limit, fmt.Sprintf("none, or %d at least", l.MaxAckPending), options,
			"events are dropped that replicas have in hand, before they are answered")
	default:
		r.add(Warn, field, limit, "none", options, "when so many are stored the oldest events are dropped, answered or not")
	}
}

// inputAge is about events that grow too old.
func (r *report) inputAge(l *Lane, c *jetstream.StreamConfig) {
	inHand := l.AckWait + l.budget()
	option := "--max-age " + span(30*24*time.Hour)
	switch {
	case c.MaxAge == 0 || c.MaxAge >= LongestHold:
	case c.MaxAge < inHand:
		r.add(Refuse, "max_age", c.MaxAge, span(LongestHold)+" or more", option,
			fmt.Sprintf("an event may be in hand for %s and expires before it is answered", span(inHand)))
	default:
		r.add(Warn, "max_age", c.MaxAge, span(LongestHold)+" or more", option,
			"events expire unanswered when their account is on hold over a weekend and a day without quota")
	}
}

// storage is about what outlives the server.
func (r *report) storage(c *jetstream.StreamConfig, what string) {
	if c.Storage == jetstream.MemoryStorage {
		r.note(Warn, "storage", c.Storage, jetstream.FileStorage, "make the stream anew: the storage of one that exists cannot be changed",
			"a restart of its server loses "+what)
	}
	if c.DenyDelete || c.DenyPurge {
		r.note(Info, "deny_delete, deny_purge", fmt.Sprintf("%t, %t", c.DenyDelete, c.DenyPurge), nil, "",
			"a person's messages cannot be erased on request, and a stream that denies it denies it for ever")
	}
}
