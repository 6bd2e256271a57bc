package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestStartOnAStreamThatHoldsEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(250, w.openid)
	cfg := config()
	cfg.Start = pipeline.Start{}
	lane := w.start(cfg)
	refusal, ok := errors.AsType[*pipeline.Refusal](<-lane.done)
	lane.done <- nil
	if !ok {
		t.Fatal("the lane guesses where to begin")
	}
	for _, price := range []string{"250 events", "all 250", "at least 3 API calls", "new", "a time"} {
		if !strings.Contains(refusal.Reason+refusal.Hint, price) {
			t.Errorf("the refusal does not say %q:\n%s\n%s", price, refusal.Reason, refusal.Hint)
		}
	}
	if _, err := w.js.Consumer(t.Context(), "WX_EVENTS", cfg.Durable); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("the durable was made all the same: %v", err)
	}
	if s := lane.State(); s.Phase != pipeline.Refused || s.Hint == "" {
		t.Errorf("state: %+v", s)
	}
}

func TestStartNewLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(10, w.openid)
	cfg := config()
	cfg.Start, _ = pipeline.ParseStart("new")
	lane := w.start(cfg)
	w.until("the lane runs", func() bool { return lane.State().Phase == pipeline.Running })
	w.publish(3, func(i int) []byte { return w.openid(100 + i) })
	for _, a := range w.answers(3) {
		if seq := a.src(t); seq <= 10 {
			t.Errorf("event %d was there before", seq)
		}
	}
}

func TestStartOnAnEmptyStreamNeedsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	cfg.Start = pipeline.Start{}
	w.publishTo("wx.events.wxanother00000000.subscribe", 5, w.openid) // not this account's
	lane := w.start(cfg)
	w.until("the lane runs", func() bool { return lane.State().Phase == pipeline.Running })
	w.publish(3, w.openid)
	if got := count(w.answers(3)); !maps.Equal(got, map[string]int{"following": 3}) {
		t.Errorf("answers: %v", got)
	}
}

func TestDurableThatWouldLoseEventsIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jetstream.ConsumerConfig){
		"max_deliver":  func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 3 },
		"ack_policy":   func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckAllPolicy },
		"headers_only": func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{})
			cfg := config()
			have := jetstream.ConsumerConfig{Durable: cfg.Durable, AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: cfg.Subjects}
			change(&have)
			if _, err := w.js.CreateConsumer(t.Context(), cfg.Stream, have); err != nil {
				t.Fatal(err)
			}
			w.refuses(cfg, name)
		})
	}
	t.Run("push", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, wechattest.AccountConfig{})
		cfg := config()
		_, err := w.js.CreatePushConsumer(t.Context(), cfg.Stream, jetstream.ConsumerConfig{
			Durable: cfg.Durable, AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: cfg.Subjects, DeliverSubject: "x"})
		if err != nil {
			t.Fatal(err)
		}
		w.refuses(cfg, "deliver_subject")
	})
}

// refuses fails the test unless a lane refuses to start because of a field, and
// says what to do.
func (w *world) refuses(cfg pipeline.Config, field string) {
	w.Helper()
	lane := w.start(cfg)
	err := <-lane.done
	lane.done <- nil
	refusal, ok := errors.AsType[*pipeline.Refusal](err)
	if !ok || !strings.Contains(refusal.Reason, field) || !strings.Contains(refusal.Hint, "nats consumer ") {
		w.Errorf("err = %v, want a refusal that names the %s and a command", err, field)
	}
}

func TestExistingDurableIsNeverChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	before, err := w.js.CreateConsumer(t.Context(), cfg.Stream, jetstream.ConsumerConfig{
		Durable: cfg.Durable, AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: cfg.Subjects,
		MaxAckPending: 77, AckWait: 90e9, Description: "an operator's own",
	})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	lane := w.start(cfg, func(d *pipeline.Deps) { d.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	w.publish(200, w.openid)
	w.answers(200)
	lane.stop()
	if fix := "nats consumer edit WX_EVENTS " + cfg.Durable + " --max-pending "; !strings.Contains(said.String(), fix) {
		t.Errorf("nothing says that 77 is too few, nor what to do:\n%s", &said)
	}
	after, err := w.js.Consumer(context.Background(), cfg.Stream, cfg.Durable)
	if err != nil {
		t.Fatal(err)
	}
	have, want := after.CachedInfo().Config, before.CachedInfo().Config
	if have.MaxAckPending != want.MaxAckPending || have.AckWait != want.AckWait || have.Description != want.Description {
		t.Errorf("the durable was changed: %+v", have)
	}
}

// A work queue keeps only what is not answered, and the server takes no durable
// of it that begins anywhere but at the start.
func TestDurableOfAWorkQueueIsMadeAnew(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		if err := w.js.DeleteStream(w.Context(), "WX_EVENTS"); err != nil {
			t.Fatal(err)
		}
		queue := jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Retention: jetstream.WorkQueuePolicy}
		if _, err := w.js.CreateStream(w.Context(), queue); err != nil {
			t.Fatal(err)
		}
		cfg := lifelike()
		cfg.Start, _ = pipeline.ParseStart("new")
		kv := w.bucket()
		w.publish(300, w.openid)
		lane := w.start(cfg, w.board(kv))
		w.until("it is refused", func() bool { return lane.State().Phase == pipeline.Refused })
		lane.stop()

		cfg.Start = pipeline.Start{}
		w.start(cfg, w.board(kv))
		w.answers(300)
		for range 2 {
			w.publish(1, w.openid)
			time.Sleep(15 * time.Second) // the mark is raised
		}
		if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
			t.Fatal(err)
		}
		w.publish(100, w.openid)
		w.answers(402)
		w.settled(cfg.Durable)
	})
}
