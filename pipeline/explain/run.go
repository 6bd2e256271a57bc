package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Query is which events are meant.
type Query struct {
	Lanes []audit.Lane // to look at; an account with several outputs has one for each, next to each other

	// Either a sequence of the one input stream, or a text, which is an openid or
	// an event's id.
	Seq  uint64
	Text string

	Since time.Time // nothing stored earlier is looked at
	Limit int       // how many events at most, the newest; 0 is 20

	// Purged, if it is not nil, says whose dead letters a person has removed, and
	// Erased about whom nothing need be stored for an event of a type and time.
	Purged func(context.Context) ([]audit.Purged, error)
	Erased func(appid, openid, kind string, stored time.Time) bool

	// Progress, if it is not nil, is told now and then how many messages of a
	// stream are read and how many there are.
	Progress func(stream string, done, total uint64)
}

const defaultLimit = 20

// Run tells the stories of the events that are meant, in the order in which
// they were stored; more reports that there are earlier ones. It changes
// nothing. The error wraps jetstream.ErrStreamNotFound when the input is missing.
func Run(ctx context.Context, js jetstream.JetStream, q Query) (stories []Story, more bool, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	r := run{js: js, Query: q, streams: map[string]jetstream.Stream{}, found: map[key]*told{}}
	if err := r.open(ctx); err != nil {
		return nil, false, err
	}
	if q.Seq != 0 {
		err = r.one(ctx)
	} else {
		err = r.inputs(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	if err := r.answers(ctx); err != nil {
		return nil, false, err
	}
	all := make([]*told, 0, len(r.found))
	for _, t := range r.found {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *told) int {
		return cmp.Or(a.Stored.Compare(b.Stored), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
	})
	if len(all) > q.Limit {
		all, more = all[len(all)-q.Limit:], true
	}
	for _, t := range all {
		if err := r.finish(ctx, t); err != nil {
			return nil, false, err
		}
	}
	if err := r.removed(ctx, all); err != nil {
		return nil, false, err
	}
	for _, t := range all {
		stories = append(stories, t.Story)
	}
	return stories, more || r.dropped, nil
}

// run is one search.
type run struct {
	Query
	js      jetstream.JetStream
	streams map[string]jetstream.Stream // by name; nil: there is none
	found   map[key]*told
	order   []key // of found, as they were read
	dropped bool  // there were more than the limit
}

// key is what tells an event from all others.
type key struct {
	stream string
	seq    uint64
	stored int64
}

// told is a story with what is needed to finish it.
type told struct {
	Story
	lane  int    // -1: nobody listens to its subject
	msgID string // the producer's
	where []place
}

// place is where an answer is.
type place struct {
	stream string
	seq    uint64
}

func (r *run) open(ctx context.Context) error {
	for i := range r.Lanes {
		for _, name := range []string{r.Lanes[i].Stream, r.Lanes[i].Output, r.Lanes[i].Dead} {
			if _, known := r.streams[name]; known {
				continue
			}
			s, err := r.js.Stream(ctx, name)
			if errors.Is(err, jetstream.ErrStreamNotFound) && name != r.Lanes[i].Stream {
				r.streams[name] = nil
				continue
			}
			if err != nil {
				return fmt.Errorf("stream %s: %w", name, err)
			}
			r.streams[name] = s
		}
	}
	return nil
}

// one finds the event at a sequence.
func (r *run) one(ctx context.Context) error {
	name := r.Lanes[0].Stream
	m, err := r.streams[name].GetMsg(ctx, r.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // an answer may still tell of it
	}
	if err != nil {
		return fmt.Errorf("event %d: %w", r.Seq, err)
	}
	lane := slices.IndexFunc(r.Lanes, func(l audit.Lane) bool { return slices.Contains(l.Subjects, m.Subject) })
	r.note(lane, events.Message{Source: events.Source{Stream: name, Seq: m.Sequence, Time: m.Time, Subject: m.Subject}, Header: m.Header, Data: m.Data})
	return nil
}

// inputs finds events by their text.
func (r *run) inputs(ctx context.Context) error {
	for i := range r.Lanes {
		l := &r.Lanes[i]
		if i > 0 && r.same(i-1, i) {
			continue // it was read for another output
		}
		span := scan.Span{Stream: l.Stream, Subjects: l.Subjects, Since: r.Since, End: r.streams[l.Stream].CachedInfo().State.LastSeq, Bodies: true, Progress: r.progress(l.Stream)}
		err := scan.Read(ctx, r.js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			r.note(i, events.Message{
				Source: events.Source{Stream: l.Stream, Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()},
				Header: m.Headers(), Data: m.Data(),
			})
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) progress(stream string) func(done, total uint64) {
	if r.Progress == nil {
		return nil
	}
	return func(done, total uint64) { r.Progress(stream, done, total) }
}

// same reports whether two lanes differ by nothing but the output.
func (r *run) same(i, j int) bool {
	a, b := &r.Lanes[i], &r.Lanes[j]
	return a.AppID == b.AppID && a.Stream == b.Stream && slices.Equal(a.Subjects, b.Subjects)
}

// note begins the story of an input if it is meant.
func (r *run) note(lane int, m events.Message) {
	l := &r.Lanes[max(lane, 0)]
	d := events.Decoder{AppID: l.AppID, Fields: l.Fields}
	e, err := d.Decode(m)
	if r.Seq == 0 && e.OpenID != r.Text && e.ID != r.Text {
		return
	}
	appid := l.AppID
	if lane < 0 {
		appid = r.named(m.Subject)
	}
	t := &told{lane: lane, msgID: m.Header.Get(events.HeaderMsgID), Story: Story{
		AppID: appid, Stream: m.Stream, Seq: m.Seq, Stored: m.Time.UTC(), Subject: m.Subject,
		EventID: e.ID, OpenID: e.OpenID, Type: e.Type, Time: e.Time, Trace: m.Header.Get(events.HeaderTraceParent),
	}}
	if err != nil {
		t.Fault = err.Error()
	}
	r.add(t)
}

// named is the account that a subject names which nobody listens to; empty for none
// of them.
func (r *run) named(subject string) string {
	tokens := strings.Split(subject, ".")
	i := slices.IndexFunc(r.Lanes, func(l audit.Lane) bool { return slices.Contains(tokens, l.AppID) })
	if i < 0 {
		return ""
	}
	return r.Lanes[i].AppID
}

// add keeps the newest.
func (r *run) add(t *told) *told {
	k := key{t.Stream, t.Seq, t.Stored.UnixNano()}
	r.found[k] = t
	if r.order = append(r.order, k); len(r.order) > 2*r.Limit && r.Seq == 0 {
		for _, old := range r.order[:r.Limit] {
			delete(r.found, old)
		}
		r.order, r.dropped = slices.Delete(r.order, 0, r.Limit), true
	}
	return t
}
