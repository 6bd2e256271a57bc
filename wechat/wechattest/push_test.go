package wechattest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat/push"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const pushKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

// endpoint is a server address that takes pushes after so many that fail.
func endpoint(t *testing.T, appid string, failures int32) (url string, got <-chan *push.Message) {
	t.Helper()
	key, err := push.ParseKey(pushKey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := push.NewReceiver(push.Config{AppID: appid, Token: "t", Keys: []push.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	messages := make(chan *push.Message, 10)
	var failed atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		q, err := push.ParseQuery(req.URL.Query())
		if err != nil {
			t.Error(err)
		}
		if req.Method == http.MethodGet {
			if echo, err := r.Verify(q, time.Now()); err == nil {
				_, _ = io.WriteString(w, echo)
			}
			return
		}
		body, _ := io.ReadAll(req.Body)
		e, err := push.ParseEnvelope(body)
		if err != nil {
			t.Error(err)
			return
		}
		m, err := r.Open(q, e, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		messages <- m
		if failed.Add(1) <= failures {
			_, _ = io.WriteString(w, "later")
			return
		}
		_, _ = io.WriteString(w, push.Success)
	}))
	t.Cleanup(s.Close)
	return s.URL, messages
}

func TestPusher(t *testing.T) {
	t.Parallel()
	a := wechattest.New().AddAccount(wechattest.AccountConfig{AppID: "wx1", Followers: 1})
	for _, mode := range []push.Mode{push.PlainMode, push.CompatibleMode, push.SafeMode} {
		url, got := endpoint(t, "wx1", 2)
		p, err := a.NewPusher(wechattest.PushConfig{URL: url, Token: "t", AESKey: pushKey, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		openid := a.OpenID(5)
		tries, err := p.Follow(t.Context(), openid, "shop")
		if err != nil || tries != 3 {
			t.Errorf("%s: %d tries, %v", mode, tries, err)
		}
		ids := map[string]bool{}
		for range 3 {
			m := <-got
			ids[m.ID()] = true
			if m.From != openid || m.Event != "subscribe" || m.To != a.OriginalID() || m.Encrypted != (mode != push.PlainMode) {
				t.Errorf("%s: %+v", mode, m)
			}
		}
		if len(ids) != 1 {
			t.Errorf("%s: tries with the ids %v", mode, ids)
		}
		if row, ok := a.User(openid); !ok || !strings.Contains(string(row), `"subscribe":1`) {
			t.Errorf("%s: who follows has the row %s", mode, row)
		}
		if tries, err := p.Unfollow(t.Context(), openid); err != nil || tries != 1 || (<-got).Event != "unsubscribe" {
			t.Errorf("%s: unfollow: %d tries, %v", mode, tries, err)
		}
	}
}

func TestPusherGivesUp(t *testing.T) {
	t.Parallel()
	a := wechattest.New().AddAccount(wechattest.AccountConfig{AppID: "wx1"})
	url, _ := endpoint(t, "wx1", 0)
	stranger, err := a.NewPusher(wechattest.PushConfig{URL: url, Token: "another", AESKey: pushKey})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Verify(t.Context()); err == nil {
		t.Error("verified with another token")
	}
	tries, err := stranger.Follow(t.Context(), a.OpenID(1), "")
	if tries != 3 || err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "signature=") {
		t.Errorf("%d tries, %v", tries, err)
	}
	for _, cfg := range []wechattest.PushConfig{{}, {URL: "nowhere"}, {URL: url, Token: "t"}} {
		if _, err := a.NewPusher(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
