package gateway_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat/push"
)

var modes = []push.Mode{push.PlainMode, push.CompatibleMode, push.SafeMode}

// Each event is pushed three times in each mode, as it is while an account's
// console is being changed: it is one event, and one that the lane can read.
func TestOneEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, mode := range modes {
		for range 3 {
			if got := w.send(pusher(t, appid, mode), "/wechat/"+appid, event(gh, openid, "subscribe", 1)); got != success {
				t.Errorf("%s: %+v", mode, got)
			}
		}
	}
	all := w.stored("WX_EVENTS")
	if len(all) != 1 {
		t.Fatalf("%d events, want 1", len(all))
	}
	m := all[0]
	d := events.Decoder{AppID: appid}
	e, err := d.Decode(events.Message{Data: m.Data, Header: m.Header, Source: events.Source{Stream: "WX_EVENTS", Seq: 1, Time: m.Time, Subject: m.Subject}})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{m.Subject, e.OpenID, e.Type, e.Scene, e.ID, e.Time.UTC().Format(time.RFC3339)}
	want := []string{"wx.events." + appid + ".subscribe", openid, "subscribe", "7", m.Header.Get(events.HeaderMsgID), "2023-11-14T22:13:21Z"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	text := strings.NewReplacer("[event]", "[text]", "<Event><![CDATA[x]]></Event>", "<Content>hello</Content><MsgId>7</MsgId>").Replace(event(gh, openid, "x", 1))
	for _, message := range []string{event(gh, openid, "unsubscribe", 1), event(gh, openid, "SCAN", 1), event(gh, openid, "a.b *>", 1), text} {
		if got := w.send(pusher(t, appid, push.SafeMode), "/wechat", message); got != success {
			t.Errorf("%+v", got)
		}
	}
	var subjects []string
	for _, stream := range []string{"WX_EVENTS", "WX_MESSAGES"} {
		for _, m := range w.stored(stream) {
			subjects = append(subjects, m.Subject)
		}
	}
	want := []string{"wx.events." + appid + ".unsubscribe", "wx.events." + appid + ".SCAN", "wx.events." + appid + ".a_b___", "wx.messages." + appid + ".text"}
	if d := cmp.Diff(want, subjects); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	silent := newWorld(t, func(c *gateway.Config) { c.Accounts[0].Messages = events.Template{} })
	if got := silent.send(pusher(t, appid, push.SafeMode), "/wechat", text); got != success {
		t.Errorf("%+v", got)
	}
	silent.empty()
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	const appid2, gh2 = "wxfedcba9876543210", "gh_0000000000ff"
	w := newWorld(t, func(c *gateway.Config) { c.Accounts = append(c.Accounts, account(t, appid2, gh2)) })
	first, second := pusher(t, appid, push.SafeMode), pusher(t, appid2, push.PlainMode)
	for _, ok := range []struct {
		p        *push.Pusher
		path, to string
	}{{first, "/wechat", gh}, {second, "/wechat", gh2}, {first, "/wechat/", gh}, {first, "/wechat/" + appid, gh}, {second, "/wechat/" + appid2, gh2}} {
		if got := w.send(ok.p, ok.path, event(ok.to, openid, "subscribe", 1)); got != success {
			t.Errorf("%s, %s: %+v", ok.path, ok.to, got)
		}
		q, err := ok.p.Verification("59277827", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do("GET", ok.path+"?"+q.Encode(), ""); got != (answer{200, "59277827"}) {
			t.Errorf("verification at %s: %+v", ok.path, got)
		}
	}
	var got []string
	for _, m := range w.stored("WX_EVENTS") {
		got = append(got, m.Subject)
	}
	if d := cmp.Diff([]string{"wx.events." + appid + ".subscribe", "wx.events." + appid2 + ".subscribe"}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, bad := range []struct {
		p        *push.Pusher
		path, to string
		want     answer
	}{
		{first, "/wechat", "gh_unknown", answer{404, "unknown_account"}},
		{first, "/wechat/wxunknown", gh, answer{404, "unknown_account"}},
		{first, "/wechat/" + appid2, gh, answer{403, "signature"}},
		{first, "/wechat", gh2, answer{403, "signature"}},
		{first, "/wechat/" + appid, gh2, answer{403, "wrong_account"}},
		{first, "/elsewhere", gh, answer{404, "404 page not found"}},
	} {
		if got := w.send(bad.p, bad.path, event(bad.to, openid, "subscribe", 2)); got != bad.want {
			t.Errorf("%s, %s: %+v, want %+v", bad.path, bad.to, got, bad.want)
		}
	}
	if n := len(w.stored("WX_EVENTS")); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *gateway.Config) { c.MaxBody, c.Rate = 4096, 1e-9 })
	p := pusher(t, appid, push.SafeMode)
	values, body, err := p.Push([]byte(event(gh, openid, "subscribe", 1)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(body), "[gh_", "[gx_", 1)
	for name, try := range map[string]struct {
		got  answer
		want answer
	}{
		"no query":  {w.do("POST", "/wechat", string(body)), answer{400, "malformed"}},
		"no body":   {w.post("/wechat", values, ""), answer{400, "malformed"}},
		"too large": {w.post("/wechat", values, strings.Repeat("x", 4097)), answer{413, "too_large"}},
		"a GET":     {w.do("GET", "/wechat?"+values.Encode(), ""), answer{400, "malformed"}},
		"a PUT":     {w.do("PUT", "/wechat?"+values.Encode(), ""), answer{405, "Method Not Allowed"}},
		"stale":     {stale(w, p), answer{403, "stale"}},
		"forged":    {w.post("/wechat", values, strings.Replace(changed, "<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA", 1)), answer{403, "signature"}},
	} {
		if try.got != try.want {
			t.Errorf("%s: %+v, want %+v", name, try.got, try.want)
		}
	}
	w.empty()
	// What is refused for want of a signature has not used up the rate.
	if got := w.post("/wechat", values, string(body)); got != success {
		t.Errorf("the first: %+v", got)
	}
	if got := w.post("/wechat", values, string(body)); got != (answer{429, "rate"}) {
		t.Errorf("the second: %+v", got)
	}
}

// TestRateOfEachAccount: one that is busy leaves the other its own.
func TestRateOfEachAccount(t *testing.T) {
	t.Parallel()
	const appid2, gh2 = "wxfedcba9876543210", "gh_000000000002"
	w := newWorld(t, func(c *gateway.Config) {
		c.Accounts, c.Rate = append(c.Accounts, account(t, appid2, gh2)), 1e-9
	})
	for i, want := range []answer{success, {429, "rate"}} {
		for id, to := range map[string]string{appid: gh, appid2: gh2} {
			if got := w.send(pusher(t, id, push.SafeMode), "/wechat/"+id, event(to, openid, "subscribe", i)); got != want {
				t.Errorf("push %d of %s: %+v, want %+v", i, id, got, want)
			}
		}
	}
}

func stale(w *world, p *push.Pusher) answer {
	values, body, err := p.Push([]byte(event(gh, openid, "subscribe", 1)), time.Now().Add(-6*time.Minute))
	if err != nil {
		w.Fatal(err)
	}
	return w.post("/wechat", values, string(body))
}

// Without NATS nobody is told success; WeChat's next try is stored.
func TestNATSDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *gateway.Config) { c.Timeout = 300 * time.Millisecond })
	p, e := pusher(t, appid, push.SafeMode), event(gh, openid, "subscribe", 1)
	w.nats.Stop()
	for range 2 {
		if got := w.send(p, "/wechat", e); got != (answer{503, "not stored"}) {
			t.Errorf("without NATS: %+v", got)
		}
	}
	if w.gw.Ready() == nil {
		t.Error("connected to nothing")
	}
	w.nats.Start()
	for got := w.send(p, "/wechat", e); got != success; got = w.send(p, "/wechat", e) { // the client finds the server again
		if got.status != 503 {
			t.Fatalf("%+v", got)
		}
	}
	if n := len(w.stored("WX_EVENTS")); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// away is a publisher that fails until it is back.
type away struct {
	gateway.Publisher
	tried chan struct{} // each failure wants to be read
	back  atomic.Bool
}

func (p *away) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if !p.back.Load() {
		p.tried <- struct{}{}
		return nil, nats.ErrReconnectBufExceeded
	}
	return p.Publisher.PublishMsg(ctx, m, o...)
}

// A push that comes while NATS is away waits for it, so that WeChat's tries
// are not used up at once. Others are not let in without end.
func TestWaitsForNATS(t *testing.T) {
	t.Parallel()
	p := &away{tried: make(chan struct{})}
	w := newWorld(t, func(c *gateway.Config) {
		p.Publisher, c.JS = c.JS, p
		c.Timeout, c.MaxInFlight = time.Minute, 1
	})
	got := make(chan answer)
	go func() { got <- w.send(pusher(t, appid, push.SafeMode), "/wechat", event(gh, openid, "subscribe", 1)) }()
	<-p.tried
	if a := w.send(pusher(t, appid, push.SafeMode), "/wechat", event(gh, openid, "subscribe", 2)); a != (answer{503, "busy"}) {
		t.Errorf("one too many: %+v", a)
	}
	<-p.tried
	p.back.Store(true)
	for {
		select {
		case <-p.tried: // one may have been under way
			continue
		case a := <-got:
			if a != success {
				t.Errorf("%+v", a)
			}
		}
		break
	}
	if n := len(w.stored("WX_EVENTS")); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	good := func() gateway.Config {
		return gateway.Config{Accounts: []gateway.Account{account(t, appid, gh)}, Path: "/wechat", JS: &counting{}, Meter: noop.Meter{}}
	}
	for name, change := range map[string]func(*gateway.Config){
		"no accounts":  func(c *gateway.Config) { c.Accounts = nil },
		"no publisher": func(c *gateway.Config) { c.JS = nil },
		"path":         func(c *gateway.Config) { c.Path = "wechat" },
		"path braces":  func(c *gateway.Config) { c.Path = "/{x}" },
		"negative":     func(c *gateway.Config) { c.Timeout = -1 },
		"twice":        func(c *gateway.Config) { c.Accounts = append(c.Accounts, account(t, appid, "gh_2")) },
		"gh twice":     func(c *gateway.Config) { c.Accounts = append(c.Accounts, account(t, "wx2", gh)) },
		"empty":        func(c *gateway.Config) { c.Accounts = append(c.Accounts, gateway.Account{}) },
	} {
		c := good()
		change(&c)
		if _, err := gateway.New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, path := range []string{"/", "/wechat/", "/a/b"} {
		c := good()
		c.Path = path
		if _, err := gateway.New(c); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
