package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
	"github.com/wxenrich/wxenrich/wechat/push"
)

func openSpool(t *testing.T, dir string, max int64) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, spool.Options{MaxBytes: max, SegmentBytes: 1 << 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// running runs a gateway's other half until the test or stop ends it.
func running(t *testing.T, g *gateway.Gateway) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { g.Run(ctx); close(ended) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func (w *world) waitEmpty(s *spool.Spool) {
	w.Helper()
	for s.Len() > 0 {
		if w.Context().Err() != nil {
			w.Fatal("the spool is not empty")
		}
		time.Sleep(5 * time.Millisecond) // a real server and disk work meanwhile
	}
}

// An outage with the spool on: every follow is taken, none is lost, none is
// doubled, and they come in order, also when the gateway is restarted meanwhile.
func TestSpoolOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, 0)
	var js gateway.Publisher
	w := newWorld(t, func(c *gateway.Config) { js, c.Spool = c.JS, s })
	stop := running(t, w.gw)
	p := pusher(t, appid, push.SafeMode)
	const n = 300
	follow := func(i int) {
		t.Helper()
		for range 1 + i%2 { // some of WeChat's tries get no answer although they are stored
			if got := w.send(p, "/wechat", event(gh, openid, "subscribe", i)); got != success {
				t.Fatalf("push %d: %+v", i, got)
			}
		}
	}
	for i := range 100 {
		follow(i)
	}
	w.nats.Stop()
	for i := 100; i < 200; i++ {
		follow(i)
	}
	if s.Len() < 100 || w.gw.Ready() != nil {
		t.Errorf("%d pushes in the spool, ready: %v", s.Len(), w.gw.Ready())
	}
	// The gateway's process ends, and another begins.
	stop()
	w.http.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, 0)
	g, err := gateway.New(gateway.Config{Accounts: []gateway.Account{account(t, appid, gh)}, Path: "/wechat", JS: js, Spool: s})
	if err != nil {
		t.Fatal(err)
	}
	w.gw, w.http = g, httptest.NewServer(g)
	t.Cleanup(w.http.Close)
	running(t, g)
	for i := 200; i < 250; i++ {
		follow(i)
	}
	w.nats.Start()
	for i := 250; i < n; i++ {
		follow(i)
	}
	w.waitEmpty(s)
	all := w.stored("WX_EVENTS")
	if len(all) != n {
		t.Fatalf("%d events, want %d", len(all), n)
	}
	for i, m := range all {
		if !strings.Contains(string(m.Data), fmt.Sprintf("<CreateTime>%d<", 1_700_000_000+i)) {
			t.Fatalf("event %d is %s", i, m.Data)
		}
	}
}

// cut is a publisher whose acks are lost for a while: the worst of outages.
type cut struct {
	gateway.Publisher
	deaf atomic.Bool
	away atomic.Bool
}

func (c *cut) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if c.away.Load() {
		return nil, nats.ErrReconnectBufExceeded
	}
	ack, err := c.Publisher.PublishMsg(ctx, m, o...)
	if c.deaf.Load() {
		return nil, nats.ErrDisconnected
	}
	return ack, err
}

func (c *cut) IsConnected() bool { return !c.away.Load() }

// What was stored before it went to the spool, and stayed there for longer than
// the stream remembers its id, is one event; also when the spool's own publish
// loses its ack before an outage.
func TestSpoolBeyondWindow(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
		nc := server.Connect(nats.ReconnectBufSize(-1))
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Duplicates: time.Minute}); err != nil {
			t.Fatal(err)
		}
		c := &cut{Publisher: publisher{js, nc}}
		s := openSpool(t, t.TempDir(), 0)
		g, err := gateway.New(gateway.Config{
			Accounts: []gateway.Account{account(t, appid, gh)}, Path: "/wechat", JS: c, Spool: s, Window: func() time.Duration { return time.Minute },
			Look: func(ctx context.Context, subject string, since time.Time, visit func(string)) error {
				return gateway.Look(ctx, js, subject, since, visit)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		send := func(i int) {
			t.Helper()
			values, body, err := pusher(t, appid, push.SafeMode).Push([]byte(event(gh, openid, "subscribe", i)), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			g.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/wechat?"+values.Encode(), strings.NewReader(string(body))))
			if rec.Code != 200 || rec.Body.String() != "success" {
				t.Errorf("push %d: %d %s", i, rec.Code, rec.Body)
			}
		}
		run := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			g.Run(ctx)
		}
		send(0)
		c.deaf.Store(true)
		send(1)              // stored, and in the spool
		send(2)              // in the spool only
		run(time.Minute / 4) // 1 is tried again and again; the stream knows it
		c.away.Store(true)
		run(10 * time.Minute)
		c.deaf.Store(false)
		c.away.Store(false)
		run(time.Minute)
		if s.Len() != 0 {
			t.Errorf("%d left in the spool", s.Len())
		}
		// One process for what follows. Its first push is missing in the stream,
		// so that it has no more reason to doubt than what it sees itself: its own
		// publish of the next loses its ack, and then the server goes away.
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { g.Run(ctx); close(ended) }()
		c.away.Store(true)
		send(3)
		c.away.Store(false)
		time.Sleep(5 * time.Second)
		c.away.Store(true)
		send(4)
		c.deaf.Store(true)
		c.away.Store(false)
		time.Sleep(2 * time.Second)
		c.away.Store(true)
		time.Sleep(10 * time.Minute)
		c.away.Store(false)
		c.deaf.Store(false)
		time.Sleep(time.Minute)
		cancel()
		<-ended
		// A process that ends before it can note what is stored.
		c.away.Store(true)
		send(5)
		c.away.Store(false)
		c.deaf.Store(true)
		run(2 * time.Second)
		time.Sleep(10 * time.Minute)
		c.deaf.Store(false)
		run(time.Minute)
		stream, err := js.Stream(t.Context(), "WX_EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Msgs; n != 6 || s.Len() != 0 {
			t.Errorf("%d events, want 6; %d in the spool", n, s.Len())
		}
	})
}

// Without room in the spool, or a disk, a gateway is as if it had none.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 2000)
	w := newWorld(t, func(c *gateway.Config) { c.Spool, c.Timeout = s, 300*time.Millisecond })
	p := pusher(t, appid, push.SafeMode)
	w.nats.Stop()
	taken, refused := 0, 0
	for i := range 10 {
		switch got := w.send(p, "/wechat", event(gh, openid, "subscribe", i)); got {
		case success:
			taken++
		case answer{503, "not stored"}:
			refused++
		default:
			t.Errorf("%+v", got)
		}
	}
	if taken == 0 || refused == 0 || taken != s.Len() {
		t.Errorf("%d taken, %d refused, %d in the spool", taken, refused, s.Len())
	}
	if w.gw.Ready() == nil {
		t.Error("ready with a full spool")
	}
	w.nats.Start()
	running(t, w.gw)
	w.waitEmpty(s)
	if n := len(w.stored("WX_EVENTS")); n != taken {
		t.Errorf("%d events, want %d", n, taken)
	}
}

// A push that no stream ever takes does not block those behind it.
func TestSpoolAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, 0)
	w := newWorld(t, func(c *gateway.Config) { c.Spool = s })
	if _, err := w.js.UpdateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, MaxMsgSize: 1000}); err != nil {
		t.Fatal(err)
	}
	w.nats.Stop()
	p := pusher(t, appid, push.SafeMode)
	big := strings.Replace(event(gh, openid, "subscribe", 1), "</xml>", "<Content>"+strings.Repeat("x", 2000)+"</Content></xml>", 1)
	for _, e := range []string{big, event(gh, openid, "subscribe", 2)} {
		if got := w.send(p, "/wechat", e); got != success {
			t.Errorf("%+v", got)
		}
	}
	if err := s.Append(spool.Record{Data: []byte("not JSON")}); err != nil {
		t.Fatal(err)
	}
	w.nats.Start()
	running(t, w.gw)
	w.waitEmpty(s)
	if all := w.stored("WX_EVENTS"); len(all) != 1 || !strings.Contains(string(all[0].Data), "1700000002") {
		t.Errorf("stored: %d", len(all))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "aside-") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d files put aside, want 2: %v", n, entries)
	}
}
