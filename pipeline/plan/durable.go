package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// AckWait is how soon a delivery of this durable may come again: its back-offs
// go before its ack wait.
func AckWait(c *jetstream.ConsumerConfig) time.Duration {
	if len(c.BackOff) > 0 {
		return slices.Min(c.BackOff)
	}
	return c.AckWait
}

// Durable checks a durable that exists. The remedy where it cannot be edited is
// to remove it: where its answers end is known without it.
func Durable(l Lane, info *jetstream.ConsumerInfo) []Finding {
	c := &info.Config
	name := info.Stream + " " + info.Name
	r := report{about: "durable " + info.Name + " of stream " + info.Stream, edit: "nats consumer edit " + name}
	anew := "nats consumer rm " + name + " -f, and start again: with the state bucket it is made anew where the answers end"

	if c.AckPolicy != jetstream.AckExplicitPolicy {
		r.note(Refuse, "ack_policy", c.AckPolicy, jetstream.AckExplicitPolicy, anew, "an ack would settle other events than its own")
	}
	if c.MaxDeliver > 0 {
		r.add(Refuse, "max_deliver", c.MaxDeliver, -1, "--max-deliver=-1", "after so many outages an event would never be delivered again, and never answered")
	}
	if p := c.DeliverPolicy; p == jetstream.DeliverLastPolicy || p == jetstream.DeliverLastPerSubjectPolicy {
		r.note(Refuse, "deliver_policy", p, jetstream.DeliverAllPolicy, anew, "it leaves out all events but the last that were there when it was made")
	}
	if c.HeadersOnly {
		r.add(Refuse, "headers_only", true, false, "--no-headers-only", "events come without their bodies: every one would become a dead letter")
	}
	if c.DeliverSubject != "" {
		r.note(Refuse, "deliver_subject", c.DeliverSubject, nil, anew, "it pushes; lanes pull")
	}
	r.delivery(&l, info, anew)
	r.room(&l, c)
	if c.MaxWaiting > 0 && c.MaxWaiting < leastWaiting {
		r.note(Warn, "max_waiting", c.MaxWaiting, fmt.Sprintf("%d or more", leastWaiting), anew,
			"a replica has one request for events with the server, and two at times; the server drops what is beyond that, and replicas get no events")
	}
	if have, want := Filters(c), slices.Sorted(slices.Values(l.Subjects)); !slices.Equal(have, want) {
		r.add(Warn, "filter_subjects", strings.Join(have, " "), strings.Join(want, " "), filterOptions(want),
			"it delivers other events than the configuration names, and those that it leaves out are never answered")
	}
	return r.all
}

// delivery is about when events come, and come again.
func (r *report) delivery(l *Lane, info *jetstream.ConsumerInfo, anew string) {
	c := &info.Config
	wait := AckWait(c)
	mend := "--wait " + span(l.AckWait)
	field, have := "ack_wait", any(wait)
	if len(c.BackOff) > 0 {
		field, have = "backoff", c.BackOff
		mend = "--backoff none " + mend
		r.add(Info, field, have, "none", mend, fmt.Sprintf("it takes the place of ack_wait; events in hand are kept by a beat every %s", span(wait/3)))
	}
	switch {
	case wait < leastAckWait:
		r.add(Warn, field, have, span(leastAckWait)+" or more", mend,
			fmt.Sprintf("events in hand have to be kept by a beat every %s; one that is late has its event delivered to another replica as well", span(wait/3)))
	case wait != l.AckWait && len(c.BackOff) == 0 && wait <= longestAckWait:
		r.add(Info, field, have, span(l.AckWait), mend, "the configuration says otherwise, and is for a durable that is missing only")
	case wait > longestAckWait:
		r.add(Warn, field, have, span(longestAckWait)+" or less", mend, "when a replica dies nobody answers what it had in hand for so long")
	}
	if info.Paused {
		r.note(Warn, "pause_until", "in "+span(info.PauseRemaining.Round(time.Second)), "no pause", Resume(info.Stream, info.Name), "nothing is delivered until then")
	}
	if c.InactiveThreshold > 0 && c.InactiveThreshold < LongestHold {
		r.add(Warn, "inactive_threshold", c.InactiveThreshold, span(LongestHold)+" or more, or none", "--inactive-threshold "+span(LongestHold),
			"the server deletes the durable when nobody has pulled for so long, as during a hold; what had been acknowledged is then found out by reading the answers")
	}
	switch {
	case c.MemoryStorage && !l.InMemory:
		r.note(Warn, "mem_storage", true, false, "make it anew without --memory, or set input.durable_storage: memory", "a restart of its server forgets what was acknowledged; it is found out again by reading the answers")
	case l.InMemory && !c.MemoryStorage:
		r.note(Info, "mem_storage", false, true, anew, "the server writes its state to disk up to ten times a second, and input.durable_storage says that it need not")
	}
	if c.Replicas > 0 && c.Replicas < l.Replicas {
		r.add(Warn, "num_replicas", c.Replicas, l.Replicas, fmt.Sprintf("--replicas %d", l.Replicas),
			fmt.Sprintf("%d servers keep the events and %d what was acknowledged: without that nothing is delivered", l.Replicas, c.Replicas))
	}
	if c.ReplayPolicy == jetstream.ReplayOriginalPolicy {
		r.note(Warn, "replay_policy", c.ReplayPolicy, jetstream.ReplayInstantPolicy, "make it anew with --replay instant", "a backlog is delivered as slowly as it came in")
	}
	if len(c.PriorityGroups) > 0 {
		r.note(Warn, "priority_groups", strings.Join(c.PriorityGroups, " "), "none", "make it anew without groups", "the server refuses every pull that names no group: nothing is delivered")
	}
}

// room is about how much may be asked for and be in hand.
func (r *report) room(l *Lane, c *jetstream.ConsumerConfig) {
	switch {
	case c.MaxAckPending <= 0 || c.MaxAckPending >= l.MaxAckPending:
	case c.MaxAckPending < l.InHand:
		r.add(Warn, "max_ack_pending", c.MaxAckPending, fmt.Sprintf("%d or more", l.InHand), fmt.Sprintf("--max-pending %d", l.MaxAckPending),
			fmt.Sprintf("one replica alone can have %d in hand; batches of %d are not full, and cost more calls", l.InHand, l.Batch))
	default:
		r.add(Info, "max_ack_pending", c.MaxAckPending, nil, fmt.Sprintf("--max-pending %d", l.MaxAckPending),
			fmt.Sprintf("enough for %d replicas at full speed", c.MaxAckPending/l.InHand))
	}
	if c.MaxRequestBatch > 0 && c.MaxRequestBatch < l.Prefetch {
		r.add(Warn, "max_batch", c.MaxRequestBatch, fmt.Sprintf("%d or more", l.Prefetch), fmt.Sprintf("--max-pull-batch %d", l.Prefetch),
			"the server refuses every pull of a lane: nothing is delivered")
	}
	if c.MaxRequestExpires > 0 && c.MaxRequestExpires < l.PullExpiry {
		r.add(Warn, "max_expires", c.MaxRequestExpires, span(l.PullExpiry)+" or more", "--max-pull-expire "+span(l.PullExpiry),
			"the server refuses every pull of a lane: nothing is delivered")
	}
}

// filterOptions quotes wildcards, which mean something to a shell too.
func filterOptions(subjects []string) string {
	var b strings.Builder
	for _, s := range subjects {
		if strings.ContainsAny(s, "*>$") {
			s = "'" + s + "'"
		}
		b.WriteString(" --filter " + s)
	}
	return b.String()[1:]
}

// Filters is what a durable delivers, in order; empty is everything.
func Filters(c *jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return slices.Sorted(slices.Values(c.FilterSubjects))
}
