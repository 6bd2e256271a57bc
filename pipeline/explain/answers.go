package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/plan"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// clockSkew is by how much the clocks of the leaders of two streams may differ.
const clockSkew = 5 * time.Minute

// answers finds what was answered to the events, and events that only their
// answers still tell of.
func (r *run) answers(ctx context.Context) error {
	since := r.Since
	if r.Seq != 0 && len(r.found) == 1 {
		for _, t := range r.found {
			since = t.Stored.Add(-clockSkew)
		}
	}
	type source struct{ stream, subject string }
	done := map[source]bool{}
	for i := range r.Lanes {
		l := &r.Lanes[i]
		for _, s := range []source{{l.Dead, l.DeadSubject}, {l.Output, l.OutputSubject}} {
			if done[s] || r.streams[s.stream] == nil {
				continue
			}
			done[s] = true
			span := scan.Span{Stream: s.stream, Since: since, End: r.streams[s.stream].CachedInfo().State.LastSeq, Progress: r.progress(s.stream)}
			if s.subject != "" {
				span.Subjects = []string{s.subject}
			}
			if err := scan.Read(ctx, r.js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
				r.noteAnswer(s.stream, m.Headers(), meta.Sequence.Stream)
				return true
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteAnswer keeps where an answer is, if it is to an event that is meant.
func (r *run) noteAnswer(stream string, h nats.Header, seq uint64) {
	src, _, dead, err := events.ParseMsgID(h.Get(events.HeaderMsgID))
	if err != nil {
		return
	}
	t := r.found[key{src.Stream, src.Seq, src.Time.UnixNano()}]
	if t == nil {
		id := h.Get(events.HeaderEventID)
		if dead {
			id = h.Get(events.HeaderDeadEventID)
		}
		meant := r.Seq != 0 && src.Seq == r.Seq || r.Seq == 0 && (id == r.Text || h.Get(events.HeaderOpenID) == r.Text)
		lane := slices.IndexFunc(r.Lanes, func(l audit.Lane) bool { return l.Stream == src.Stream && l.AppID == h.Get(events.HeaderAppID) })
		if !meant || lane < 0 || r.streams[src.Stream].CachedInfo().State.FirstSeq <= src.Seq && len(r.found) > 0 {
			return
		}
		t = r.add(&told{lane: lane, Story: Story{
			AppID: r.Lanes[lane].AppID, Stream: src.Stream, Seq: src.Seq, Stored: src.Time, EventID: id, OpenID: h.Get(events.HeaderOpenID),
		}})
	}
	t.where = append(t.where, place{stream, seq})
}

// finish reads a story's answers and says how it stands.
func (r *run) finish(ctx context.Context, t *told) error {
	t.Answers = []Answer{}
	for _, p := range t.where {
		m, err := r.streams[p.stream].GetMsg(ctx, p.seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a redrive has removed it since
		}
		if err != nil {
			return fmt.Errorf("answer %d of stream %s: %w", p.seq, p.stream, err)
		}
		t.Answers = append(t.Answers, readAnswer(p.stream, m))
	}
	slices.SortStableFunc(t.Answers, func(a, b Answer) int { return a.Stored.Compare(b.Stored) })
	if !r.answered(t) {
		if err := r.stand(ctx, t); err != nil || len(t.Answers) == 0 || t.Standing == InHand {
			return err
		}
	}
	t.Standing = Answered
	return nil
}

// answered reports whether an event has a dead letter, or a record in every
// output of its account.
func (r *run) answered(t *told) bool {
	if len(t.Answers) == 0 {
		return false
	}
	for i := range r.Lanes {
		if t.lane >= 0 && r.same(i, t.lane) && !slices.ContainsFunc(t.Answers, func(a Answer) bool { return a.Kind == DeadLetter || a.Stream == r.Lanes[i].Output }) {
			return false
		}
	}
	return true
}

func readAnswer(stream string, m *jetstream.RawStreamMsg) Answer {
	_, replay, dead, _ := events.ParseMsgID(m.Header.Get(events.HeaderMsgID)) // it was read before
	a := Answer{Kind: Record, Stream: stream, Seq: m.Sequence, Stored: m.Time.UTC(), Replay: replay, Deliveries: 1}
	if n, err := strconv.Atoi(m.Header.Get(events.HeaderDeliveries)); err == nil {
		a.Deliveries = n
	}
	if dead {
		a.Kind = DeadLetter
		if d, err := events.ParseDeadLetter(m.Header, m.Data); err == nil {
			a.Hop, a.Reason, a.Code, a.Detail, a.Attempts = d.Hop, d.Reason, d.Code, d.Detail, d.Attempts
		}
		return a
	}
	a.Status = events.Status(m.Header.Get(events.HeaderStatus))
	if rec, err := events.ParseRecord(m.Header, m.Data); err == nil {
		a.Hop, a.Status, a.Source, a.FetchedAt = rec.Hop, rec.Status, rec.Source, rec.FetchedAt
	}
	return a
}

// deaf reports whether a durable does not listen to a subject, whatever the
// configuration says: one that exists is never changed.
func deaf(c *jetstream.ConsumerConfig, subject string) bool {
	filters := plan.Filters(c)
	return subject != "" && len(filters) > 0 && !slices.ContainsFunc(filters, func(f string) bool { return events.Captures(f, subject) })
}

// stand says where an event without an answer is, from its durable.
func (r *run) stand(ctx context.Context, t *told) error {
	if t.lane < 0 {
		t.Standing = NotHeard
		return nil
	}
	l := &r.Lanes[t.lane]
	if l.Waiting != nil {
		if t.Standing = Unanswered; l.Waiting(t.msgID) {
			t.Standing = ForJob
		}
		return nil
	}
	c, err := r.streams[l.Stream].Consumer(ctx, l.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Standing = NoDurable
		return nil
	}
	if err != nil {
		return fmt.Errorf("durable %s: %w", l.Durable, err)
	}
	info := c.CachedInfo()
	cfg := info.Config
	switch {
	case deaf(&cfg, t.Subject):
		t.Standing = NotHeard
	case cfg.DeliverPolicy == jetstream.DeliverNewPolicy && t.Stored.Before(info.Created),
		cfg.DeliverPolicy == jetstream.DeliverByStartTimePolicy && cfg.OptStartTime != nil && t.Stored.Before(*cfg.OptStartTime):
		t.Standing = BeforeStart
	case t.Seq > info.Delivered.Stream:
		t.Standing, t.Behind = Waiting, t.Seq-info.Delivered.Stream-1
	case t.Seq > info.AckFloor.Stream:
		t.Standing = InHand
	default:
		t.Standing = Unanswered
	}
	return nil
}
