package gateway_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// counting is a stream that takes everything and counts it.
type counting struct{ n atomic.Int64 }

func (c *counting) PublishMsg(context.Context, *nats.Msg, ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	c.n.Add(1)
	return &jetstream.PubAck{}, nil
}
func (*counting) IsConnected() bool { return true }

// FuzzGateway sends what is not signed by WeChat: nothing panics, nothing is
// published, nobody is told success or gets an echo.
func FuzzGateway(f *testing.F) {
	for _, mode := range modes {
		forger := pusher(f, appid, mode)
		forger.Token = "not the account's"
		values, body, err := forger.Push([]byte(event(gh, openid, "subscribe", 1)), time.Now())
		if err != nil {
			f.Fatal(err)
		}
		values.Set("echostr", "x")
		f.Add("/wechat/"+appid, values.Encode(), body)
		f.Add("/wechat", values.Encode(), body)
	}
	js := &counting{}
	g, err := gateway.New(gateway.Config{Accounts: []gateway.Account{account(f, appid, gh), account(f, "wx2", "gh_2")}, Path: "/wechat", JS: js})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string, body []byte) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/", bytes.NewReader(body))
			r.URL = &url.URL{Path: "/" + path, RawQuery: query}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code == http.StatusOK || w.Body.String() == push.Success {
				t.Errorf("%s %s?%s: %d %s", method, path, query, w.Code, w.Body)
			}
		}
		if n := js.n.Load(); n != 0 {
			t.Errorf("%d messages are published without the token", n)
		}
	})
}
