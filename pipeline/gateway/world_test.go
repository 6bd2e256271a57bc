package gateway_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
)

const (
	appid  = "wx0123456789abcdef"
	gh     = "gh_7f083739789a"
	aesKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	openid = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
)

// world is a gateway behind a real HTTP server, in front of a real NATS server
// with a stream for events and one for messages.
type world struct {
	*testing.T
	nats *eventstest.Server
	js   jetstream.JetStream
	gw   *gateway.Gateway
	http *httptest.Server
}

func newWorld(t *testing.T, change func(*gateway.Config)) *world {
	t.Helper()
	w := &world{T: t, nats: eventstest.NewServer(t)}
	w.js = w.nats.JetStream()
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_MESSAGES": "wx.messages.>"} {
		if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	nc := w.nats.Connect(nats.ReconnectBufSize(-1))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := gateway.Config{Accounts: []gateway.Account{account(t, appid, gh)}, Path: "/wechat", JS: publisher{js, nc}}
	if change != nil {
		change(&cfg)
	}
	if w.gw, err = gateway.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.gw)
	t.Cleanup(w.http.Close)
	return w
}

type publisher struct {
	jetstream.JetStream
	nc *nats.Conn
}

func (p publisher) IsConnected() bool { return p.nc.IsConnected() }

func account(t testing.TB, appid, gh string) gateway.Account {
	t.Helper()
	r, err := push.NewReceiver(push.Config{AppID: appid, Token: token(appid), Keys: []push.Key{key(t)}, OriginalID: gh})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Account{Receiver: r, OriginalID: gh, Events: template(t, "wx.events.{appid}.{type}"), Messages: template(t, "wx.messages.{appid}.{type}")}
}

func token(appid string) wechat.Secret { return wechat.Secret("token-of-" + appid) }

func key(t testing.TB) push.Key {
	t.Helper()
	k, err := push.ParseKey(aesKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func template(t testing.TB, s string) events.Template {
	t.Helper()
	x, err := events.ParseTemplate(s, "appid", "type")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func pusher(t testing.TB, appid string, mode push.Mode) *push.Pusher {
	t.Helper()
	return &push.Pusher{AppID: appid, Token: token(appid), Key: key(t), Mode: mode, Random: rand.Reader}
}

func event(to, from, event string, n int) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[%s]]></Event><EventKey><![CDATA[qrscene_7]]></EventKey></xml>", to, from, 1_700_000_000+n, event)
}

// answer is what WeChat is told.
type answer struct {
	status int
	body   string
}

var success = answer{200, "success"}

// send makes a push of a message and sends it to a path.
func (w *world) send(p *push.Pusher, path, message string) answer {
	w.Helper()
	values, body, err := p.Push([]byte(message), time.Now())
	if err != nil {
		w.Fatal(err)
	}
	return w.post(path, values, string(body))
}

func (w *world) post(path string, values url.Values, body string) answer {
	w.Helper()
	return w.do(http.MethodPost, path+"?"+values.Encode(), body)
}

func (w *world) do(method, path, body string) answer {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{resp.StatusCode, strings.TrimSpace(string(b))}
}

// stored is what a stream holds.
func (w *world) stored(stream string) []*jetstream.RawStreamMsg {
	w.Helper()
	s, err := w.js.Stream(w.Context(), stream)
	if err != nil {
		w.Fatal(err)
	}
	all := []*jetstream.RawStreamMsg{}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(w.Context(), seq)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// empty fails the test if anything is stored.
func (w *world) empty() {
	w.Helper()
	for _, stream := range []string{"WX_EVENTS", "WX_MESSAGES"} {
		for _, m := range w.stored(stream) {
			w.Errorf("%s has %s: %s", stream, m.Subject, m.Data)
		}
	}
}
