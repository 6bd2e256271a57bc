package events_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
)

// decoded is what the service makes of the nth event in the stream.
func decoded(t *testing.T, js jetstream.JetStream, n uint64) events.Event {
	t.Helper()
	stream, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	e, err := (&events.Decoder{AppID: clientAppID}).Decode(events.Message{
		Source: events.Source{Stream: "WX_EVENTS", Seq: n, Subject: m.Subject}, Header: m.Header, Data: m.Data})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPublish(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	clientStreams(t, js)
	for i, format := range []events.Format{events.JSON, events.Msgpack} {
		p, err := events.NewPublisher(js, events.PublisherConfig{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		want := events.Event{ID: "order 17 🎉 " + string(format), OpenID: openidOf(i), AppID: clientAppID, Type: "SCAN", Lang: "en",
			Time: time.Date(2026, 3, 1, 8, 30, 0, 5e6, time.UTC), Meta: events.JSONValue([]byte(`{"campaign":"活动 🎉","n":18446744073709551615}`))}
		for _, repeat := range []bool{false, true} {
			ack, err := p.Publish(t.Context(), want)
			if err != nil || ack.Duplicate != repeat || ack.Sequence != uint64(i+1) {
				t.Errorf("%s: %+v, %v", format, ack, err)
			}
		}
		got := decoded(t, js, uint64(i+1))
		want.Source = events.Source{Stream: "WX_EVENTS", Seq: uint64(i + 1), Subject: "wx.events." + clientAppID + ".SCAN"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	p, err := events.NewPublisher(js, events.PublisherConfig{Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context(), events.Event{OpenID: openidOf(7), AppID: clientAppID}); err != nil {
		t.Fatal(err)
	}
	if e := decoded(t, js, 3); e.Type != "subscribe" || e.ID == "" || e.ID == "WX_EVENTS-3" {
		t.Errorf("%+v", e)
	}
	for name, e := range map[string]events.Event{
		"openid": {OpenID: "short", AppID: clientAppID}, "appid": {OpenID: openidOf(1)}, "id": {OpenID: openidOf(1), AppID: clientAppID, ID: "a\nb"},
		"time": {OpenID: openidOf(1), AppID: clientAppID, Time: time.Unix(-1, 0)},
		"type": {OpenID: openidOf(1), AppID: clientAppID, Type: "a\x00"}, "meta": {OpenID: openidOf(1), AppID: clientAppID, Meta: events.JSONValue([]byte("{"))},
	} {
		if _, err := p.Publish(t.Context(), e); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := events.NewPublisher(js, events.PublisherConfig{Subject: "wx.{apid}", Format: "xml", Pending: -1}); err == nil {
		t.Error("NewPublisher takes anything")
	}
}

// many yields n events; the bad one cannot be published.
func many(n, bad int) iter.Seq[events.Event] {
	return func(yield func(events.Event) bool) {
		for i := range n {
			e := events.Event{ID: fmt.Sprint(i), OpenID: openidOf(i), AppID: clientAppID}
			if i == bad {
				e.OpenID = "bad"
			}
			if !yield(e) {
				return
			}
		}
	}
}

// The server is restarted in the middle: every event is stored once.
func TestPublishAllOutlastsTheServer(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	js := s.JetStream()
	clientStreams(t, js)
	p, err := events.NewPublisher(js, events.PublisherConfig{Pending: 50, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	stored, err := p.PublishAll(t.Context(), func(yield func(events.Event) bool) {
		for e := range many(n, -1) {
			if e.ID == "1000" || e.ID == "2000" {
				s.Restart()
			}
			if !yield(e) {
				return
			}
		}
	})
	if err != nil || stored != n {
		t.Fatalf("%d stored, %v", stored, err)
	}
	stream, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != n {
		t.Errorf("%d messages, want %d", got, n)
	}
}

func TestPublishAllSaysWhereItStopped(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	clientStreams(t, js)
	p, err := events.NewPublisher(js, events.PublisherConfig{Pending: 10})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.PublishAll(t.Context(), many(100, 57)); n != 57 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	n, err := p.PublishAll(ctx, func(yield func(events.Event) bool) {
		for e := range many(1000, -1) {
			if e.ID == "200" {
				cancel(cause)
			}
			if !yield(e) {
				return
			}
		}
	})
	if n > 200 || !errors.Is(err, cause) {
		t.Errorf("%d, %v", n, err)
	}
	if err := js.DeleteStream(t.Context(), "WX_EVENTS"); err != nil {
		t.Fatal(err)
	}
	short, err := events.NewPublisher(js, events.PublisherConfig{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := short.PublishAll(t.Context(), many(10, -1)); n != 0 || !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, context.DeadlineExceeded) { // the latter on a slow machine
		t.Errorf("no stream: %d, %v", n, err)
	}
}
