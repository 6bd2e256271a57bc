package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
)

// relayed is a JetStream whose requests can be counted, and swallowed.
type relayed struct {
	jetstream.JetStream
	mu      sync.Mutex
	asked   map[string]int // by the API's operation
	swallow func(operation string) bool
}

var operations = [...]string{"CONSUMER.MSG.NEXT", "CONSUMER.LIST", "CONSUMER.INFO"}

func relay(t *testing.T, s *eventstest.Server) *relayed {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(s.Connect(), "relayed")
	if err != nil {
		t.Fatal(err)
	}
	r := &relayed{JetStream: js, asked: make(map[string]int)}
	nc := s.Connect()
	_, err = nc.Subscribe("relayed.>", func(m *nats.Msg) {
		subject := strings.TrimPrefix(m.Subject, "relayed.")
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, o := range operations {
			if strings.HasPrefix(subject, o) {
				if r.asked[o]++; r.swallow != nil && r.swallow(o) {
					return
				}
			}
		}
		_ = nc.PublishRequest("$JS.API."+subject, m.Reply, m.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only swallows requests of these operations from now on.
func (r *relayed) only(operations ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swallow = func(operation string) bool {
		return slices.Contains(operations, operation)
	}
}

// within is how often an operation was asked for meanwhile.
func (r *relayed) within(d time.Duration) map[string]int {
	r.mu.Lock()
	r.asked = make(map[string]int)
	r.mu.Unlock()
	time.Sleep(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.asked)
}

// idlers runs lanes that nobody sends events to, in a process that has a thousand.
func idlers(t *testing.T, n int, f func(t *testing.T, js *relayed, lanes []*Lane)) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := relay(t, s)
		for _, spec := range []events.StreamSpec{{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}, {Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Output: true},
			{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}, Output: true}} {
			if _, _, err := events.EnsureStream(t.Context(), js, spec, events.Create); err != nil {
				t.Fatal(err)
			}
		}
		out, err := NewPublisher(s.Connect())
		if err != nil {
			t.Fatal(err)
		}
		rounds := NewRounds(js, slog.New(slog.DiscardHandler))
		rounds.count = 1000
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		running.Go(func() { rounds.Run(ctx) })
		lanes := make([]*Lane, n)
		for i := range lanes {
			cfg := DefaultConfig(fmt.Sprintf("wx%016d", i))
			cfg.Start, _ = ParseStart("all")
			if lanes[i], err = NewLane(Deps{JS: js, Out: out, WeChat: struct{ Directory }{}, Rounds: rounds}, cfg); err != nil {
				t.Fatal(err)
			}
			running.Go(func() { _ = lanes[i].Run(ctx) })
		}
		time.Sleep(time.Minute)
		for _, l := range lanes {
			if s := l.State(); !s.Ready() {
				t.Fatalf("%+v", s)
			}
		}
		f(t, js, lanes)
	})
}

// asides is who makes rounds: many lanes of a stream do, few look by themselves.
var asides = map[string]int{"few": 2, "many": roundFrom}

// A pull that the server has forgotten, which it says nobody waits with, is made
// anew long before its heartbeat is missed.
func TestForgottenPull(t *testing.T) {
	for name, n := range asides {
		t.Run(name, func(t *testing.T) {
			idlers(t, n, func(t *testing.T, js *relayed, lanes []*Lane) {
				js.only("CONSUMER.MSG.NEXT")
				time.Sleep(expiry(1200 * pullShare)) // the pulls end, and the next are lost
				js.only()
				time.Sleep(expiryEvery + pullSilence)
				for _, l := range lanes {
					durable, err := js.Consumer(t.Context(), l.cfg.Stream, l.cfg.Durable)
					if err != nil {
						t.Fatal(err)
					}
					if n := durable.CachedInfo().NumWaiting; n == 0 {
						t.Fatalf("nobody waits for %s", l.cfg.Durable)
					}
				}
			})
		})
	}
}

// A server that says nothing about a durable any more, as one without a quorum,
// is noticed by its lane.
func TestUnheardLaneIsNotReady(t *testing.T) {
	for name, n := range asides {
		t.Run(name, func(t *testing.T) {
			idlers(t, n, func(t *testing.T, js *relayed, lanes []*Lane) {
				js.only(operations[:]...)
				time.Sleep(90 * time.Second)
				for _, l := range lanes {
					if s := l.State(); s.Ready() || s.Reason == "" {
						t.Fatalf("%+v", s)
					}
				}
				js.only()
				time.Sleep(90 * time.Second)
				for _, l := range lanes {
					if s := l.State(); !s.Ready() {
						t.Fatalf("%+v", s)
					}
				}
			})
		})
	}
}

// A thousand idle lanes ask little, and without the right to list durables as
// little as lanes that look by themselves.
func TestIdleLanesAskLittle(t *testing.T) {
	const minutes, lanes = 20, roundFrom
	idlers(t, lanes, func(t *testing.T, js *relayed, _ []*Lane) {
		pulls := lanes * 3 // of eight minutes
		if n := js.within(minutes * time.Minute); n["CONSUMER.LIST"] < minutes*4-1 || n["CONSUMER.LIST"] > minutes*4+1 || n["CONSUMER.INFO"] > lanes*2 || n["CONSUMER.MSG.NEXT"] > pulls {
			t.Errorf("%v in %d minutes", n, minutes)
		}
		js.only("CONSUMER.LIST")
		time.Sleep(expiryEvery + 4*roundEvery) // then all know that nobody looks after them
		if n := js.within(minutes * time.Minute); n["CONSUMER.LIST"] > 0 || n["CONSUMER.INFO"] < lanes*(minutes-1) || n["CONSUMER.INFO"] > lanes*(minutes+1)+minutes*4 || n["CONSUMER.MSG.NEXT"] > pulls {
			t.Errorf("%v in %d minutes without the right to list durables", n, minutes)
		}
	})
}

// Rounds tell a lane what its own look would.
func TestRoundsSeeWhatWaits(t *testing.T) {
	idlers(t, roundFrom, func(t *testing.T, js *relayed, lanes []*Lane) {
		l := lanes[7]
		if _, err := js.PauseConsumer(t.Context(), l.cfg.Stream, l.cfg.Durable, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		stored := time.Now()
		if _, err := js.Publish(t.Context(), l.cfg.Subjects[0], []byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(roundEvery + time.Second)
		if s := l.State(); s.Phase != Paused {
			t.Errorf("%+v of a lane whose durable is paused", s)
		}
		if at, waits := l.Oldest(); l.Lag() != 1 || !waits || at.Sub(stored).Abs() > time.Second {
			t.Errorf("a lag of %d since %v, want 1 since %v", l.Lag(), at, stored)
		}
		if at, waits := l.OldestExpires(); !waits || at.Sub(stored.Add(events.DefaultMaxAge)).Abs() > time.Second {
			t.Errorf("it expires at %v", at)
		}
		if n := lanes[8].Lag(); n != 0 || !lanes[8].State().Ready() {
			t.Errorf("its neighbour has a lag of %d", n)
		}
		if _, err := js.ResumeConsumer(t.Context(), l.cfg.Stream, l.cfg.Durable); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*roundEvery + time.Second) // the first has the pull made anew
		if _, waits := l.Oldest(); waits || l.Lag() != 0 || !l.State().Ready() {
			t.Errorf("a lag of %d after all is answered; %+v", l.Lag(), l.State())
		}
	})
}
