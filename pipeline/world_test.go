package pipeline_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 2 * time.Minute

const (
	appid  = "wx0123456789abcdef"
	secret = "canary-secret-of-the-account"
)

// world is a NATS server, a WeChat and the streams between them.
type world struct {
	testing.TB
	nats *eventstest.Server
	js   jetstream.JetStream
	sim  *wechattest.Server
	acc  *wechattest.Account

	api       string            // WeChat's address
	transport http.RoundTripper // how it is reached; nil is over the network
	overrides wechat.Overrides  // of the table of errcodes
	patience  time.Duration     // how long to wait for what has to come
	tick      time.Duration     // how often to look whether it has
}

// newWorld has real connections and the real clock; see inBubble for the other.
func newWorld(t testing.TB, account wechattest.AccountConfig, opts ...wechattest.Option) *world {
	t.Helper()
	w := &world{TB: t, nats: eventstest.NewServer(t), sim: wechattest.New(opts...), patience: patience, tick: 2 * time.Millisecond}
	api := httptest.NewServer(w.sim)
	t.Cleanup(api.Close)
	w.api = api.URL
	w.furnish(account)
	return w
}

// furnish adds the account and the streams.
func (w *world) furnish(account wechattest.AccountConfig) {
	w.Helper()
	if account.AppID == "" {
		account.AppID = appid
	}
	if account.Secret == "" {
		account.Secret = secret
	}
	if account.Followers == 0 {
		account.Followers = 100_000
	}
	w.acc = w.sim.AddAccount(account)
	w.js = w.nats.JetStream()
	for _, spec := range []events.StreamSpec{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}},
		{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Output: true, AllowAtomic: true},
		{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}, Output: true, AllowAtomic: true},
	} {
		if _, _, err := events.EnsureStream(w.Context(), w.js, spec, events.Create); err != nil {
			w.Fatal(err)
		}
	}
}

// client is a WeChat client of an account.
func (w *world) client(appid, secret string) *wechat.Client {
	w.Helper()
	c, err := wechat.New(wechat.Config{AppID: appid, BaseURL: w.api, Tokens: w.tokens(appid, secret), Transport: w.transport, Overrides: w.overrides})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// tokens are an account's.
func (w *world) tokens(appid, secret string) *wechat.Tokens {
	w.Helper()
	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: wechat.Secret(secret), BaseURL: w.api, Transport: w.transport, Overrides: w.overrides})
	if err != nil {
		w.Fatal(err)
	}
	return tokens
}

// config is a lane's configuration for tests: everything as in life, but the
// pauses short.
func config() pipeline.Config {
	c := pipeline.DefaultConfig(appid)
	c.Start, _ = pipeline.ParseStart("all")
	c.RetryInitial, c.RetryMax = 5*time.Millisecond, 50*time.Millisecond
	return c
}

// running is a lane that runs; stop ends it and waits.
type running struct {
	*pipeline.Lane
	stop func()
	done chan error
}

// start runs a lane until the test ends or stop is called.
func (w *world) start(cfg pipeline.Config, opts ...func(*pipeline.Deps)) *running {
	w.Helper()
	out, err := pipeline.NewPublisher(w.nats.Connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		w.Fatal(err)
	}
	deps := pipeline.Deps{
		JS: w.nats.JetStream(), Out: out, WeChat: w.client(cfg.AppID, secret),
		Log: slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	for _, o := range opts {
		o(&deps)
	}
	lane, err := pipeline.NewLane(deps, cfg)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Lane: lane, done: make(chan error, 1)}
	go func() { r.done <- lane.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-r.done:
			r.done <- err
		case <-time.After(w.patience):
			w.Fatal("the lane does not stop")
		}
	}
	w.Cleanup(r.stop)
	return r
}

// publish stores n events of the account; body makes the payload of the i-th.
func (w *world) publish(n int, body func(i int) []byte) {
	w.Helper()
	w.publishTo("wx.events."+appid+".subscribe", n, body)
}

func (w *world) publishTo(subject string, n int, body func(i int) []byte) {
	w.Helper()
	for i := range n {
		if _, err := w.js.PublishAsync(subject, body(i), jetstream.WithStallWait(w.patience)); err != nil {
			w.Fatal(err)
		}
	}
	select {
	case <-w.js.PublishAsyncComplete():
	case <-time.After(w.patience):
		w.Fatal("events are not stored")
	}
}

// openid is a body: follower i, bare.
func (w *world) openid(i int) []byte { return []byte(w.acc.OpenID(i)) }

// answer is a record or a dead letter, as it is stored.
type answer struct {
	record events.Record     // if reason is empty
	dead   events.DeadLetter // if not
	reason events.Reason
	msg    jetstream.Msg
	stored time.Time
}

// src is the sequence of the event that it answers.
func (a answer) src(t testing.TB) uint64 {
	t.Helper()
	src, _, _, err := events.ParseMsgID(a.msg.Headers()[events.HeaderMsgID][0])
	if err != nil {
		t.Fatal(err)
	}
	return src.Seq
}

// answers waits until n events are answered, and fails if one of them is
// answered twice or with something that cannot be read.
func (w *world) answers(n int) []answer {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	found := make(chan jetstream.Msg, 100)
	for _, name := range []string{"WX_PROFILES", "WX_DEAD"} {
		w.follow(ctx, name, found)
	}
	var all []answer
	seen := make(map[uint64]bool)
	for len(all) < n {
		select {
		case msg := <-found:
			a := w.parse(msg)
			if src := a.src(w); seen[src] {
				w.Errorf("event %d is answered twice", src)
			} else {
				seen[src] = true
			}
			all = append(all, a)
		case <-ctx.Done():
			w.Fatalf("%d answers of %d", len(all), n)
		}
	}
	return all
}

// until polls a condition that comes true in milliseconds.
func (w *world) until(what string, cond func() bool) {
	w.Helper()
	tick := time.NewTicker(w.tick)
	defer tick.Stop()
	timeout := time.After(w.patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-timeout:
			w.Fatalf("waited in vain until %s", what)
		}
	}
}

// trickle publishes an event now and then until the returned function is
// called: the account is not idle, and works for others.
func (w *world) trickle() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 1000; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = w.js.Publish(ctx, "wx.events."+appid+".subscribe", w.openid(i))
			}
		}
	}()
	return func() { cancel(); <-done }
}

// settled waits until no event of a durable is pending or unacked.
func (w *world) settled(durable string) {
	w.Helper()
	w.until("everything is acked", func() bool {
		info := w.consumer(durable)
		return info.NumPending == 0 && info.NumAckPending == 0
	})
}

// consumer is what the server says of a durable.
func (w *world) consumer(durable string) *jetstream.ConsumerInfo {
	w.Helper()
	c, err := w.js.Consumer(context.Background(), "WX_EVENTS", durable)
	if err != nil {
		w.Fatal(err)
	}
	return c.CachedInfo()
}

// stored waits until a stream holds at least n messages.
func (w *world) stored(name string, n int) {
	w.Helper()
	w.until(name+" has its messages", func() bool { return w.held(name) >= n })
}

// held is how many messages a stream holds.
func (w *world) held(name string) int {
	w.Helper()
	stream, err := w.js.Stream(context.Background(), name)
	if err != nil {
		w.Fatal(err)
	}
	return int(stream.CachedInfo().State.Msgs)
}

// asked is how often WeChat was asked for data.
func (w *world) asked() int { return w.acc.Stats().Calls["user/info/batchget"] }

// follow reads a stream from its start into found.
func (w *world) follow(ctx context.Context, name string, found chan<- jetstream.Msg) {
	w.Helper()
	c, err := w.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.Fatal(err)
	}
	iter, err := c.Messages()
	if err != nil {
		w.Fatal(err)
	}
	context.AfterFunc(ctx, iter.Stop)
	go func() {
		for {
			msg, err := iter.Next()
			if err != nil {
				return
			}
			select {
			case found <- msg:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (w *world) parse(msg jetstream.Msg) answer {
	w.Helper()
	a := answer{msg: msg}
	if meta, err := msg.Metadata(); err == nil {
		a.stored = meta.Timestamp
	}
	var err error
	if strings.HasPrefix(msg.Subject(), "wx.dead.") {
		a.dead, err = events.ParseDeadLetter(msg.Headers(), msg.Data())
		a.reason = a.dead.Reason
	} else {
		a.record, err = events.ParseRecord(msg.Headers(), msg.Data())
	}
	if err != nil {
		w.Fatalf("answer on %s: %v", msg.Subject(), err)
	}
	return a
}

// count sorts answers by status or reason.
func count(answers []answer) map[string]int {
	m := make(map[string]int)
	for _, a := range answers {
		if a.reason != "" {
			m[string(a.reason)]++
		} else {
			m[string(a.record.Status)]++
		}
	}
	return m
}
