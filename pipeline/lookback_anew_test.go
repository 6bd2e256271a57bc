package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
)

// Whoever reads on notices that the output is another stream of the same name,
// or an older one of itself: what is on it now counts, whatever its sequences.
func TestLookBackReadsOn(t *testing.T) {
	for name, tc := range map[string]struct {
		between func(s *stage) // the reading and the reading on
		want    []uint64       // the events that have an answer at the end, of 1 to 20
	}{
		"more has come":          {func(s *stage) { s.answer(11, 15) }, span(1, 15)},
		"nothing has come":       {func(*stage) {}, span(1, 10)},
		"made anew":              {func(s *stage) { s.create(); s.answer(11, 13) }, span(11, 13)},
		"made anew, and is full": {func(s *stage) { s.create(); s.answer(5, 20) }, span(5, 20)},
		"made anew, and empty":   {func(s *stage) { s.create() }, nil},
		"its last was deleted":   {func(s *stage) { s.remove(10); s.answer(11, 12) }, append(span(1, 9), 11, 12)},
	} {
		t.Run(name, func(t *testing.T) {
			eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
				s, b := newStage(t, server)
				s.answer(1, 10)
				if err := b.read(t.Context(), 1, time.Now().Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				tc.between(s)
				if err := b.readOn(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				var got []uint64
				for seq := range uint64(20) {
					if knows(b, seq+1) {
						got = append(got, seq+1)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tc.want) {
					t.Errorf("answered are %v, want %v", got, tc.want)
				}
			})
		})
	}
}

// In a backlog of days each answer is read once, however long the backlog is, and
// what is known stays bounded.
func TestLookBackInABacklog(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
		const n, step, reach = 2000, 20, 50
		s, b := newStage(t, server)
		b.span = 2 * reach
		since := time.Now().Add(-time.Hour)
		var err error
		for seq := uint64(1); seq <= n; seq += step {
			time.Sleep(time.Minute)
			if !b.covers(seq, since) {
				err = b.read(t.Context(), seq, since)
			} else {
				err = b.readOn(t.Context(), seq)
			}
			if err != nil {
				t.Fatal(err)
			}
			for back := uint64(1); back < min(reach, seq); back++ {
				if !b.covers(seq-back, since) || !knows(b, seq-back) {
					t.Fatalf("at %d: %d has an answer, and nobody knows", seq, seq-back)
				}
			}
			if knows(b, seq) || len(b.known) > 4*reach {
				t.Fatalf("at %d: answered %v, %d known", seq, knows(b, seq), len(b.known))
			}
			s.answer(seq, seq+step-1)
		}
		if most := int64(n + n/step); b.looked > most {
			t.Errorf("%d headers were read for %d answers, want %d at most", b.looked, n, most)
		}
	})
}

// Where a former life has answered all of a long stream, what lies far ahead is
// read when it is its turn.
func TestLookBackAhead(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
		const n, reach = 1000, 50
		s, b := newStage(t, server)
		b.span = 2 * reach
		s.answer(1, n)
		since := time.Now().Add(-time.Hour)
		reads := 0
		for seq := uint64(1); seq <= n; seq++ {
			if !b.covers(seq, since) {
				reads++
				if err := b.read(t.Context(), seq, since); err != nil {
					t.Fatal(err)
				}
			}
			if !knows(b, seq) {
				t.Fatalf("%d has an answer, and nobody knows", seq)
			}
			if len(b.known) > 4*reach {
				t.Fatalf("%d are known", len(b.known))
			}
		}
		if most := n/reach + 1; reads > most {
			t.Errorf("read %d times, want %d at most", reads, most)
		}
	})
}

// stage is an output stream that things are done to.
type stage struct {
	*testing.T
	js jetstream.JetStream
}

// newStage makes the stream, and somebody who looks back in it.
func newStage(t *testing.T, server *eventstest.Server) (*stage, *lookBack) {
	t.Helper()
	js, err := jetstream.New(server.Connect())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t, js}
	s.create()
	return s, &lookBack{js: js, places: []place{{stream: "OUT", subject: "out.*", fills: 1}}, all: 1}
}

// knows reports whether an event has an answer, as far as b has read.
func knows(b *lookBack, seq uint64) bool {
	return b.answered(&delivery{event: events.Event{Source: source(seq)}}) != 0
}

// create makes the stream, anew if it was there.
func (s *stage) create() {
	s.Helper()
	_ = s.js.DeleteStream(s.Context(), "OUT")
	_, err := s.js.CreateStream(s.Context(), jetstream.StreamConfig{Name: "OUT", Subjects: []string{"out.*"}})
	for range 100 { // the server may still be removing the former one's folder
		if err == nil {
			return
		}
		time.Sleep(time.Second)
		_, err = s.js.CreateStream(s.Context(), jetstream.StreamConfig{Name: "OUT", Subjects: []string{"out.*"}})
	}
	s.Fatal(err)
}

// answer stores the answers of events.
func (s *stage) answer(from, to uint64) {
	s.Helper()
	for _, seq := range span(from, to) {
		src := source(seq)
		msg := nats.NewMsg("out.a")
		msg.Header.Set(events.HeaderMsgID, src.MsgID(""))
		if _, err := s.js.PublishMsg(s.Context(), msg); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *stage) remove(seq uint64) {
	s.Helper()
	stream, err := s.js.Stream(s.Context(), "OUT")
	if err == nil {
		err = stream.DeleteMsg(s.Context(), seq)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func source(seq uint64) events.Source {
	return events.Source{Stream: "IN", Seq: seq, Time: time.Unix(1_700_000_000, int64(seq))}
}

func span(from, to uint64) (all []uint64) {
	for seq := from; seq <= to; seq++ {
		all = append(all, seq)
	}
	return all
}
