package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestOfARunningLane audits a real lane, while it works and afterwards.
func TestOfARunningLane(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	w := &world{TB: t, js: s.JetStream()}
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
		if _, _, err := events.EnsureStream(t.Context(), w.js, events.StreamSpec{Name: name, Subjects: []string{subject}}, events.Create); err != nil {
			t.Fatal(err)
		}
	}
	sim := wechattest.New()
	account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "s", Followers: 5000})
	api := httptest.NewServer(sim)
	defer api.Close()
	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: "s", BaseURL: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	client, err := wechat.New(wechat.Config{AppID: appid, BaseURL: api.URL, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	out, err := pipeline.NewPublisher(s.Connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		t.Fatal(err)
	}
	cfg := pipeline.DefaultConfig(appid)
	if cfg.Start, err = pipeline.ParseStart("all"); err != nil {
		t.Fatal(err)
	}
	lane, err := pipeline.NewLane(pipeline.Deps{JS: s.JetStream(), Out: out, WeChat: client}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- lane.Run(ctx) }()

	const n, bad = 3000, 30 // several pages of the book
	for i := range n {
		body := account.OpenID(i)
		if i%(n/bad) == 0 {
			body = "not an openid"
		}
		if _, err := w.js.PublishAsync("wx.events."+appid+".subscribe", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
	var r audit.Report
	for r = w.audit(scope()); r.Lanes[0].Pending > 0 && r.Holds(); r = w.audit(scope()) {
		if len(stopped) > 0 {
			t.Fatal(<-stopped)
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	w.want(r, audit.Balance{In: n, Records: n - bad, DeadLetters: bad})
}

// TestBesideARedrive audits while dead letters give way to their redrives'
// answers: at no time is an event seen without one.
func TestBesideARedrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 400
	for range n {
		w.letter(w.event(appid, ""))
	}
	w.ack(appid, n)
	dead, err := w.js.Stream(t.Context(), "WX_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	redriven := make(chan error, 1)
	go func() {
		redriven <- func() error {
			for seq := uint64(1); ctx.Err() == nil; seq++ {
				m, err := dead.GetMsg(ctx, seq)
				if errors.Is(err, jetstream.ErrMsgNotFound) {
					return nil
				} else if err != nil {
					return err
				}
				d, err := events.ParseDeadLetter(m.Header, m.Data)
				if err != nil {
					return err
				}
				d.Hop++
				again := d.Msg(m.Subject)
				if d.Hop == 2 || seq%2 == 1 {
					r := events.Record{Event: events.Event{ID: d.EventID, AppID: d.AppID, OpenID: openid, Source: d.Message.Source}, Hop: d.Hop}
					if again, err = r.Msg("wx.profiles."+appid, events.JSON); err != nil {
						return err
					}
				}
				if ack, err := w.js.PublishMsg(ctx, again); err != nil {
					return err
				} else if ack.Duplicate {
					return fmt.Errorf("%s is a duplicate of %d", again.Header.Get(events.HeaderMsgID), ack.Sequence)
				}
				if err := dead.DeleteMsg(ctx, seq); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	defer cancel()
	for {
		r := w.audit(scope())
		if b := r.Lanes[0]; b.Records+b.DeadLetters != n || !r.Holds() {
			t.Fatalf("%+v", r)
		}
		select {
		case err := <-redriven:
			if err != nil {
				t.Fatal(err)
			}
			if b := w.audit(scope()).Lanes[0]; b.Records < n/2 || b.DeadLetters+b.Records != n {
				t.Errorf("%+v", b)
			}
			return
		default:
		}
	}
}

func TestStreamIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.js.DeleteStream(t.Context(), "WX_DEAD"); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Run(t.Context(), w.js, scope()); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Error(err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(10_000)
	ctx, cancel := context.WithCancel(t.Context())
	s := scope()
	s.Progress = func(_ string, done, total uint64) {
		if done == 0 || total < done {
			t.Errorf("%d of %d", done, total)
		}
		cancel()
	}
	if _, err := audit.Run(ctx, w.js, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// fill stores n events and their records.
func (w *world) fill(n int) {
	w.Helper()
	js, err := jetstream.New(w.js.Conn(), jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		w.Fatal(err)
	}
	wait := jetstream.WithStallWait(time.Minute)
	for range n {
		if _, err := js.PublishAsync("wx.events."+appid+".subscribe", []byte(openid), wait); err != nil {
			w.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	c, err := js.OrderedConsumer(w.Context(), "WX_EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.Fatal(err)
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(4096))
	if err != nil {
		w.Fatal(err)
	}
	defer messages.Stop()
	for i := range n {
		m, err := messages.Next()
		if err != nil {
			w.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			w.Fatal(err)
		}
		src := events.Source{Stream: "WX_EVENTS", Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()}
		r := events.Record{Event: events.Event{ID: fmt.Sprint("order-", i), OpenID: openid, AppID: appid, Source: src}, Status: events.Following}
		answer, err := r.Msg("wx.profiles."+appid, events.Msgpack)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := js.PublishMsgAsync(answer, wait); err != nil {
			w.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}
