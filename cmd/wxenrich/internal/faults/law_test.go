//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// drain waits until every event of a load is stored and acknowledged.
func (w *world) drain(l *load) {
	w.t.Helper()
	began := time.Now()
	deadline := time.After(patience + 2*time.Duration(l.n)*time.Second/perSecond)
	for last := "no answer"; ; {
		select {
		case <-deadline:
			w.t.Fatalf("not all is answered: %s", last)
		case <-time.After(200 * time.Millisecond):
		}
		if last = w.left(l); last == "" {
			w.t.Logf("all was answered %s later", time.Since(began).Round(time.Millisecond))
			return
		}
	}
}

// left says what of a load is not stored or not acknowledged; empty if nothing.
func (w *world) left(l *load) string {
	select {
	case <-l.done:
	default:
		return "not all is published"
	}
	c, err := w.js.Consumer(w.t.Context(), "WX_EVENTS", durable)
	if err != nil {
		return err.Error()
	}
	info := c.CachedInfo()
	if info.NumPending == 0 && info.NumAckPending == 0 {
		return ""
	}
	return fmt.Sprintf("%d pending, %d in hand", info.NumPending, info.NumAckPending)
}

// holds fails the test unless every event of a load has one answer, its own.
// It returns the answers, by the event's number.
func (w *world) holds(l *load) []answer {
	w.t.Helper()
	w.law(l.n)
	return w.answers(l)
}

// law fails the test unless there are n events, and each has one answer.
func (w *world) law(n int) {
	w.t.Helper()
	report, err := audit.Run(w.t.Context(), w.js, audit.Scope{Lanes: []audit.Lane{audit.DefaultLane(appID)}})
	if err != nil {
		w.t.Fatal(err)
	}
	b := report.Lanes[0]
	w.t.Logf("%d events: %d records, %d dead letters, %d missing, %d doubled", b.In, b.Records, b.DeadLetters, b.Missing, b.Doubled)
	if b.Missing > 0 || b.Doubled > 0 || b.In != uint64(n) || b.Records+b.DeadLetters != b.In {
		text, _ := json.MarshalIndent(report, "", "  ")
		w.t.Errorf("the law is broken; %d events were published:\n%s", n, text)
	}
}

// once fails the test if somebody was asked for twice.
func (w *world) once() {
	w.t.Helper()
	asked := make(map[string]int)
	twice := 0
	for _, call := range w.account.Log() {
		if call.Code != 0 || call.Status != 0 {
			continue
		}
		for _, openid := range call.OpenIDs {
			if asked[openid]++; asked[openid] == 2 {
				twice++
			}
		}
	}
	w.t.Logf("%d people looked up, %d of them twice", len(asked), twice)
	if twice > 0 {
		w.t.Errorf("%d look-ups were made twice", twice)
	}
}

// answer is what the streams hold for an event.
type answer struct {
	seq    uint64    // of the event
	event  time.Time // when it was stored
	stored time.Time // when its answer was; zero if there is none
}

// answers reads them all and fails the test if one is not what its event must
// become, or not about its person.
func (w *world) answers(l *load) []answer {
	w.t.Helper()
	return w.generation(l, "")
}

// generation is answers of a replay.
func (w *world) generation(l *load, replay string) []answer {
	w.t.Helper()
	all := make([]answer, l.n)
	wrong := 0
	for _, stream := range []string{"WX_PROFILES", "WX_DEAD"} {
		w.read(stream, func(m jetstream.Msg, stored time.Time) {
			src, of, _, err := events.ParseMsgID(m.Headers().Get(events.HeaderMsgID))
			if err == nil && of != replay || w.anothers(l, m.Headers()) {
				return
			}
			i, wrongly := w.check(l, m.Headers(), m.Data())
			if err = errors.Join(err, wrongly); err == nil && !all[i].stored.IsZero() {
				err = fmt.Errorf("event %d has another answer", i)
			}
			if err != nil {
				if wrong++; wrong <= 10 {
					w.t.Errorf("%s: %v", stream, err)
				}
				return
			}
			all[i] = answer{seq: src.Seq, event: src.Time, stored: stored}
		})
	}
	if wrong > 0 {
		w.t.Errorf("%d answers are wrong", wrong)
	}
	return all
}

// anothers reports whether an answer is for an event of another load.
func (w *world) anothers(l *load, h nats.Header) bool {
	all := load{mix: l.mix, n: w.produced}
	id := eventID(h)
	return l.number(id) < 0 && all.number(id) >= 0
}

// eventID is which event an answer is for.
func eventID(h nats.Header) string {
	return h.Get(events.HeaderEventID) + h.Get(events.HeaderDeadEventID)
}

// check compares one answer with what its event must become.
func (w *world) check(l *load, h nats.Header, body []byte) (i int, err error) {
	id := eventID(h)
	if i = l.number(id); i < 0 {
		return i, fmt.Errorf("an answer for event %q, which nobody has published", id)
	}
	want := l.event(i)
	if w.poison != "" && want.OpenID == w.poison {
		want.Want = traffic.Want(events.Crashed)
	}
	if is := traffic.Want(h.Get(events.HeaderStatus) + h.Get(events.HeaderDeadReason)); is != want.Want {
		return i, fmt.Errorf("event %d became %s, want %s", i, is, want.Want)
	}
	if want.Want != traffic.Following {
		return i, nil
	}
	r, err := events.ParseRecord(h, body)
	if err != nil {
		return i, fmt.Errorf("event %d: %w", i, err)
	}
	var person struct{ OpenID, UnionID string }
	if row, known := w.account.User(want.OpenID); !known || json.Unmarshal(row, &person) != nil {
		return i, fmt.Errorf("event %d: its openid is nobody's", i)
	}
	if r.Event.OpenID != person.OpenID || r.User.OpenID != person.OpenID || r.UnionID != person.UnionID {
		return i, fmt.Errorf("event %d has the record of somebody else", i)
	}
	return i, nil
}

// read visits all messages of a stream; none if there is no such stream.
func (w *world) read(stream string, visit func(m jetstream.Msg, stored time.Time)) {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	left := int(s.CachedInfo().State.Msgs)
	if left == 0 {
		return
	}
	c, err := w.js.OrderedConsumer(w.t.Context(), stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	iter, err := c.Messages()
	if err != nil {
		w.t.Fatal(err)
	}
	defer iter.Stop()
	for ; left > 0; left-- {
		m, err := iter.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			w.t.Fatal(err)
		}
		visit(m, meta.Timestamp)
	}
}

// longestGap is the longest time without an answer between the first and the
// last.
func longestGap(all []answer) (gap time.Duration) {
	times := make([]time.Time, len(all))
	for i, a := range all {
		times[i] = a.stored
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		gap = max(gap, times[i].Sub(times[i-1]))
	}
	return gap
}

// slowest is the longest time that an event has waited for its answer, and how
// long 99 in 100 have waited at most.
func slowest(all []answer) (most, p99 time.Duration) {
	waits := make([]time.Duration, len(all))
	for i, a := range all {
		waits[i] = a.stored.Sub(a.event)
	}
	slices.Sort(waits)
	return waits[len(waits)-1], waits[len(waits)*99/100]
}
