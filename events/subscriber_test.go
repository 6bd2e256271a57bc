package events_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
)

const clientAppID = "wx0123456789abcdef"

// openidOf is the nth person's.
func openidOf(n int) string { return fmt.Sprintf("o%027d", n) }

// clientStreams makes the input and the output.
func clientStreams(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>"} {
		if _, _, err := events.EnsureStream(context.Background(), js, events.StreamSpec{Name: name, Subjects: []string{subject}}, events.Create); err != nil {
			t.Fatal(err)
		}
	}
}

// putRecord stores the answer to event seq, with the id given.
func putRecord(t *testing.T, js jetstream.JetStream, seq int, id string, edit ...func(*nats.Msg)) {
	t.Helper()
	r := events.Record{
		Event: events.Event{ID: id, OpenID: openidOf(seq), AppID: clientAppID, Type: "subscribe",
			Source: events.Source{Stream: "WX_EVENTS", Seq: uint64(seq), Time: time.Unix(1e9, int64(seq)), Subject: "wx.events." + clientAppID + ".subscribe"}},
		Status: events.Following, FetchedAt: time.Unix(1e9, 0), Source: events.FromBatch,
		User: events.User{Subscribe: 1, OpenID: openidOf(seq)},
	}
	m, err := r.Msg("wx.profiles."+clientAppID, []events.Format{events.JSON, events.Msgpack}[seq%2])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(m)
	}
	if _, err := js.PublishMsg(context.Background(), m); err != nil {
		t.Fatal(err)
	}
}

// subscribe runs a subscriber until stop is called, which returns its error.
func subscribe(t *testing.T, js jetstream.JetStream, cfg events.SubscriberConfig, run func(*events.Subscriber, context.Context) error) (stop func() error) {
	t.Helper()
	cfg.Durable = "test"
	s, err := events.NewSubscriber(context.Background(), js, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(s, ctx) }()
	return func() error { cancel(); return <-done }
}

// unsettled is how many records the durable has not seen acked or terminated.
func unsettled(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	c, err := js.Consumer(context.Background(), "WX_PROFILES", "test")
	if err != nil {
		t.Fatal(err)
	}
	info := c.CachedInfo()
	return info.NumPending + uint64(info.NumAckPending)
}

func TestSubscriberSettlesByTheHandlersAnswer(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := s.JetStream()
		clientStreams(t, js)
		ids := []string{"ack", "later", "fails", "discard"}
		for i, id := range ids {
			putRecord(t, js, i+1, id)
		}
		putRecord(t, js, 5, "v2", func(m *nats.Msg) { m.Header[events.HeaderSchema] = []string{"wxenrich.profile.v2"} })
		putRecord(t, js, 6, "slow")
		type call struct {
			id string
			at time.Duration
		}
		var calls []call
		var unreadable error
		began := time.Now()
		stop := subscribe(t, js, events.SubscriberConfig{Unreadable: func(_ jetstream.Msg, err error) error {
			unreadable = err
			return events.Discard(err)
		}}, func(s *events.Subscriber, ctx context.Context) error {
			return s.Run(ctx, func(ctx context.Context, d *events.Delivery) error {
				calls = append(calls, call{d.Record.Event.ID, time.Since(began).Truncate(time.Second)})
				if d.Record.Event.OpenID != d.Record.User.OpenID {
					t.Errorf("record %+v", d.Record)
				}
				switch {
				case d.Record.Event.ID == "discard":
					return events.Discard(errors.New("no use"))
				case d.Record.Event.ID == "slow":
					time.Sleep(2 * time.Minute) // four ack waits
				case d.Deliveries > 1:
				case d.Record.Event.ID == "later":
					return events.RetryAfter(10*time.Minute, errors.New("closed"))
				case d.Record.Event.ID == "fails":
					return errors.New("broken")
				}
				return nil
			})
		})
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		want := []call{{"ack", 0}, {"later", 0}, {"fails", 0}, {"discard", 0}, {"slow", 0}, {"fails", 2 * time.Minute}, {"later", 10 * time.Minute}}
		if diff := cmp.Diff(want, calls, cmp.AllowUnexported(call{})); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if !errors.Is(unreadable, events.ErrSchema) {
			t.Errorf("unreadable: %v", unreadable)
		}
		if n := unsettled(t, js); n != 0 {
			t.Errorf("%d records are not settled", n)
		}
	})
}

// A handler at work ends its work; what waits in the client goes back at once.
func TestSubscriberStopsGracefully(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := s.JetStream()
		clientStreams(t, js)
		for i := range 10 {
			putRecord(t, js, i+1, fmt.Sprint(i))
		}
		var finished, cut atomic.Int32
		handle := func(ctx context.Context, d *events.Delivery) error {
			select {
			case <-time.After(20 * time.Second):
				finished.Add(1)
			case <-ctx.Done():
				cut.Add(1)
				return ctx.Err()
			}
			return nil
		}
		run := func(s *events.Subscriber, ctx context.Context) error { return s.Run(ctx, handle) }
		stop := subscribe(t, js, events.SubscriberConfig{Concurrency: 2}, run)
		time.Sleep(time.Second)
		if err := stop(); err != nil || finished.Load() != 2 {
			t.Errorf("%v, %d handlers finished, want 2", err, finished.Load())
		}
		synctest.Wait()
		began := time.Now()
		next := make(chan string, 10)
		stop = subscribe(t, js, events.SubscriberConfig{Grace: 5 * time.Second}, func(s *events.Subscriber, ctx context.Context) error {
			return s.Run(ctx, func(ctx context.Context, d *events.Delivery) error {
				next <- d.Record.Event.ID
				return handle(ctx, d)
			})
		})
		if <-next; time.Since(began) > time.Second {
			t.Errorf("the next came after %s: it was not handed back", time.Since(began))
		}
		if err := stop(); err != nil || cut.Load() != 1 {
			t.Errorf("%v, %d handlers were cut off after their grace, want 1", err, cut.Load())
		}
	})
}

func TestSubscriberRemembersEvents(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := s.JetStream()
		clientStreams(t, js)
		put := func(seq int, id string) { putRecord(t, js, seq, id); time.Sleep(time.Minute) }
		var mu sync.Mutex
		var got []string
		fail := true
		stop := subscribe(t, js, events.SubscriberConfig{Remember: 2, Concurrency: 4}, func(s *events.Subscriber, ctx context.Context) error {
			return s.Run(ctx, func(_ context.Context, d *events.Delivery) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, d.Record.Event.ID)
				if d.Record.Event.ID == "b" && fail {
					fail = false
					return errors.New("once")
				}
				return nil
			})
		})
		put(1, "a")
		put(2, "a") // the same event, stored twice by its producer
		put(3, "b") // fails, and comes again
		put(4, "c") // a is forgotten
		put(5, "b")
		put(6, "a")
		if err := stop(); err != nil {
			t.Error(err)
		}
		if want := []string{"a", "b", "b", "c", "a"}; !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
		if n := unsettled(t, js); n != 0 {
			t.Errorf("%d records are not settled", n)
		}
	})
}

func TestSubscriberBatches(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := s.JetStream()
		clientStreams(t, js)
		for i := range 25 {
			putRecord(t, js, i+1, fmt.Sprint(i))
		}
		var sizes []int
		failed := false
		stop := subscribe(t, js, events.SubscriberConfig{Batch: 10, Wait: time.Second}, func(s *events.Subscriber, ctx context.Context) error {
			return s.RunBatches(ctx, func(_ context.Context, batch []*events.Delivery) error {
				sizes = append(sizes, len(batch))
				if !failed {
					failed = true
					batch[0].Settle(nil) // the rest fails
					return events.RetryAfter(time.Minute, nil)
				}
				return nil
			})
		})
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if want := []int{10, 10, 5, 9}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v, want %v", sizes, want)
		}
		if n := unsettled(t, js); n != 0 {
			t.Errorf("%d records are not settled", n)
		}
	})
}

func TestSubscriberRefuses(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	clientStreams(t, js)
	if _, err := js.CreateConsumer(t.Context(), "WX_PROFILES", jetstream.ConsumerConfig{Durable: "noack", AckPolicy: jetstream.AckNonePolicy}); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]events.SubscriberConfig{
		"no durable": {}, "no stream": {Durable: "d", Stream: "NONE"}, "no acks": {Durable: "noack"}, "below 0": {Durable: "d", Batch: -1},
	} {
		if _, err := events.NewSubscriber(t.Context(), js, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A durable that was deleted ends the run, at work or before.
func TestSubscriberEndsWithItsDurable(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		js := s.JetStream()
		clientStreams(t, js)
		handle := func(context.Context, *events.Delivery) error { return nil }
		for _, before := range []bool{true, false} {
			sub, err := events.NewSubscriber(context.Background(), js, events.SubscriberConfig{Durable: "gone"})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			end := func() {
				defer close(ended)
				if err := js.DeleteConsumer(context.Background(), "WX_PROFILES", "gone"); err != nil {
					t.Error(err)
				}
			}
			if before {
				end()
			} else {
				time.AfterFunc(time.Hour, end)
			}
			began := time.Now()
			if err := sub.Run(context.Background(), handle); err == nil || time.Since(began) > 2*time.Hour || !before && time.Since(began) < time.Hour {
				t.Errorf("ended after %s: %v", time.Since(began), err)
			}
			<-ended
		}
	})
}

// A server that was away does not end the run.
func TestSubscriberOutlastsTheServer(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	js := s.JetStream()
	clientStreams(t, js)
	got := make(chan string, 1)
	stop := subscribe(t, js, events.SubscriberConfig{}, func(s *events.Subscriber, ctx context.Context) error {
		return s.Run(ctx, func(_ context.Context, d *events.Delivery) error { got <- d.Record.Event.ID; return nil })
	})
	putRecord(t, js, 1, "before")
	<-got
	s.Restart()
	putRecord(t, s.JetStream(), 2, "after")
	if id := <-got; id != "after" && id != "before" { // an ack may have been lost
		t.Errorf("got %s", id)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The trace goes from the publisher's context to the event, and from the record
// to the handler's context.
func TestClientCarriesTraces(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	clientStreams(t, js)
	want := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled})
	p, err := events.NewPublisher(js, events.PublisherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(trace.ContextWithSpanContext(t.Context(), want), events.Event{AppID: clientAppID, OpenID: openidOf(1)}); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	event, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	putRecord(t, js, 1, "1", func(m *nats.Msg) { m.Header["traceparent"] = event.Header["traceparent"] })
	got := make(chan trace.SpanContext, 1)
	stop := subscribe(t, js, events.SubscriberConfig{}, func(s *events.Subscriber, ctx context.Context) error {
		return s.Run(ctx, func(ctx context.Context, _ *events.Delivery) error {
			got <- trace.SpanContextFromContext(ctx)
			return nil
		})
	})
	if sc := <-got; sc.TraceID() != want.TraceID() || sc.SpanID() != want.SpanID() || !sc.IsRemote() {
		t.Errorf("trace %v", sc)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	at := func(openid string, fetched, stored int) *events.Delivery {
		return &events.Delivery{Record: events.Record{FetchedAt: time.Unix(int64(fetched), 0),
			Event: events.Event{OpenID: openid, Source: events.Source{Time: time.Unix(int64(stored), 0)}}}}
	}
	a1, b1, a3, a2, b1later := at("a", 1, 1), at("b", 1, 1), at("a", 3, 0), at("a", 2, 9), at("b", 1, 2)
	if got := events.Newest([]*events.Delivery{a1, b1, a3, a2, b1later}); !slices.Equal(got, []*events.Delivery{a3, b1later}) {
		t.Errorf("kept %v", got)
	}
}
