package pipeline

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat"
)

// TestMessages has answers stored that follow each other in one envelope: each
// must say what is its own and nothing of the one before, a record that cannot be
// written down becomes a dead letter, and none stands in another's way.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, atomic := range []bool{false, true} {
		t.Run(fmt.Sprintf("atomic=%v", atomic), func(t *testing.T) {
			t.Parallel()
			const appid = "wx0123456789abcdef"
			server := eventstest.NewServer(t)
			js := server.JetStream()
			for name, subject := range map[string]string{"WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
				if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, AllowAtomicPublish: true}); err != nil {
					t.Fatal(err)
				}
			}
			conn := server.Connect()
			out, err := NewPublisher(conn)
			if err != nil {
				t.Fatal(err)
			}
			cfg := DefaultConfig(appid)
			cfg.Atomic = atomic
			l, err := NewLane(Deps{JS: js, Out: out, WeChat: new(wechat.Client)}, cfg)
			if err != nil {
				t.Fatal(err)
			}

			const n = 60
			now := time.Now()
			deliveries, answers := make([]delivery, n), make([]answer, n)
			want := make(map[string]nats.Header)
			bad := func(i int) bool { return i%10 == 7 }
			for i := range deliveries {
				openid := fmt.Sprintf("o6_bmjrPTlm6_2sgVt7hMZOP%04d", i)
				source := events.Source{Stream: "WX_EVENTS", Seq: uint64(i + 1), Time: now, Subject: "wx.events." + appid}
				header := nats.Header{}
				if i%3 == 1 {
					header[events.HeaderTraceParent] = []string{fmt.Sprintf("00-%032d-%016d-00", i, i)}
				}
				deliveries[i] = delivery{
					msg: &pulled{&nats.Msg{Reply: "ack", Header: header}, conn}, taken: now, deliveries: uint64(1 + i%2),
					event: events.Event{ID: fmt.Sprint(i), OpenID: openid, AppID: appid, Type: "subscribe", Source: source},
				}
				if bad(i) {
					deliveries[i].event.Meta = events.JSONValue([]byte("{"))
				}
				user := &wechat.User{Subscribe: i % 2, OpenID: openid, Raw: fmt.Appendf(nil, `{"subscribe":%d,"openid":%q}`, i%2, openid)}
				answers[i] = l.record(&deliveries[i], user, events.FromBatch, "", now)

				r := events.Record{Event: deliveries[i].event, Status: events.Following}
				if i%2 == 0 {
					r.Status = events.NotFollowing
				} else {
					header[events.HeaderDeliveries] = []string{"2"}
				}
				if msg, err := r.Msg("", cfg.Outputs[0].Format); err == nil {
					maps.Copy(msg.Header, header)
					want[fmt.Sprint(i)] = msg.Header
				} else if !bad(i) {
					t.Fatal(err)
				}
			}
			l.settle(contexts{stop: t.Context(), abort: t.Context()}, answers)

			for i := range deliveries {
				if !deliveries[i].settled {
					t.Errorf("event %d is not settled", i)
				}
			}
			for _, msg := range stream(t, js, "WX_PROFILES", n-n/10) {
				id := msg.Headers().Get(events.HeaderEventID)
				maps.DeleteFunc(msg.Headers(), func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-Batch-") })
				if diff := cmp.Diff(want[id], msg.Headers()); diff != "" {
					t.Errorf("headers of record %s: %s", id, diff)
				}
				if r, err := events.ParseRecord(msg.Headers(), msg.Data()); err != nil || r.User.OpenID != r.Event.OpenID || r.Event.ID != id {
					t.Errorf("record %s is of %s, %s, for %s: %v", id, r.Event.ID, r.User.OpenID, r.Event.OpenID, err)
				}
			}
			for _, msg := range stream(t, js, "WX_DEAD", n/10) {
				if got := msg.Headers().Get(events.HeaderDeadReason); got != string(events.Unresolved) {
					t.Errorf("a record that cannot be written became a letter of reason %s", got)
				}
			}
		})
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	letter := new(cause)
	var got []outputSet
	for _, a := range spread([]answer{{fills: 0b111}, {fills: 0b111, cause: letter}, {fills: 0b110}, {}, {fills: 0b101}}) {
		got = append(got, a.fills)
	}
	want := []outputSet{0b001, 0b111, 0b010, 0, 0b001, 0b010, 0b100, 0b100, 0b100}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// stream is all that a stream has, which must be n messages.
func stream(t *testing.T, js jetstream.JetStream, name string, n int) (all []jetstream.Msg) {
	t.Helper()
	consumer, err := js.OrderedConsumer(t.Context(), name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.FetchNoWait(n + 1)
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		all = append(all, msg)
	}
	if len(all) != n {
		t.Fatalf("%s has %d messages, want %d", name, len(all), n)
	}
	return all
}
