package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// fixedToken is a source with one token, which notes its rejections.
type fixedToken struct {
	token    wechat.Secret
	mu       sync.Mutex
	rejected []string
}

func (f *fixedToken) Token(context.Context) (wechat.Secret, error) { return f.token, nil }

func (f *fixedToken) Reject(token wechat.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rejected = append(f.rejected, token.Reveal())
}

// clientOf returns a client of a handler on loopback.
func clientOf(t *testing.T, h http.HandlerFunc, edit func(*wechat.Config)) *wechat.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg := wechat.Config{AppID: appid, Tokens: &fixedToken{token: "tok"}, BaseURL: srv.URL}
	if edit != nil {
		edit(&cfg)
	}
	c, err := wechat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func someQueries(n int) []wechat.Query {
	qs := make([]wechat.Query, n)
	for i := range qs {
		qs[i] = wechat.Query{OpenID: fmt.Sprintf("o%027d", i), Lang: "zh_CN"}
	}
	return qs
}

// TestAnswers has each kind of answer to a batch classified.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		header string // Retry-After
		body   string
		want   wechat.Error
	}{
		{"code", 200, "", `{"errcode":40003,"errmsg":"invalid openid hint: [x] rid: 5f-1"}`,
			wechat.Error{Class: wechat.BadOpenID, Code: 40003, Message: "invalid openid", RID: "5f-1"}},
		{"code as a string", 200, "", `{"errcode":"45011","errmsg":"slower"}`, wechat.Error{Class: wechat.MinuteLimit, Code: 45011, Message: "slower"}},
		{"stale", 200, "", `{"errcode":42001,"errmsg":"expired"}`, wechat.Error{Class: wechat.StaleToken, Code: 42001, Message: "expired"}},
		{"busy", 200, "", `{"errcode":-1,"errmsg":"system error"}`, wechat.Error{Class: wechat.Transient, Code: -1, Message: "system error"}},
		{"address", 200, "", `{"errcode":40164,"errmsg":"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist"}`,
			wechat.Error{Class: wechat.Address, Code: 40164, Message: "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist"}},
		{"refused for a day", 200, "", `{"errcode":89506}`, wechat.Error{Class: wechat.Operator, Code: 89506, After: 24 * time.Hour}},
		{"unknown code", 200, "", `{"errcode":99999,"errmsg":"x"}`, wechat.Error{Class: wechat.Unknown, Code: 99999, Message: "x"}},
		{"control character", 200, "", "{\"errcode\":40003,\"errmsg\":\"a\x07b\"}", wechat.Error{Class: wechat.BadOpenID, Code: 40003, Message: "a b"}},
		{"no list", 200, "", `{"errcode":0,"errmsg":"ok"}`, wechat.Error{Class: wechat.Transient, Err: errors.New("no user_info_list in the answer")}},
		{"list of another type", 200, "", `{"user_info_list":{}}`, wechat.Error{Class: wechat.Transient, Err: errors.New("no user_info_list in the answer")}},
		{"empty", 200, "", ``, wechat.Error{Class: wechat.Transient, Err: errors.New("empty body")}},
		{"HTML", 200, "", `<html>`, wechat.Error{Class: wechat.Transient, Err: errors.New("body is truncated or not JSON")}},
		{"deep row", 200, "", `{"user_info_list":[{"x":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}]}`, wechat.Error{Class: wechat.Transient, Err: errors.New("body nested too deeply")}},
		{"too large", 200, "", `{"user_info_list":[` + strings.Repeat(" ", 5000) + `]}`, wechat.Error{Class: wechat.Transient, Err: errors.New("read body: body larger than 4096 bytes")}},
		{"502", 502, "", `<html>`, wechat.Error{Class: wechat.Transient, Message: "Bad Gateway"}},
		{"503 with a wish", 503, "17", ``, wechat.Error{Class: wechat.Transient, Message: "Service Unavailable", After: 17 * time.Second}},
		{"561", 561, "", ``, wechat.Error{Class: wechat.Transient}},
		{"429", 429, "3", ``, wechat.Error{Class: wechat.MinuteLimit, Message: "Too Many Requests", After: 3 * time.Second}},
		{"302", 302, "", ``, wechat.Error{Class: wechat.Transient, Message: "Found"}},
		{"412", 412, "", ``, wechat.Error{Class: wechat.Unknown, Message: "Precondition Failed"}},
		{"400 with a code", 400, "", `{"errcode":45009,"errmsg":"quota"}`, wechat.Error{Class: wechat.DailyQuota, Code: 45009, Message: "quota"}},
		{"400 with an unknown code", 400, "", `{"errcode":12,"errmsg":"x"}`, wechat.Error{Class: wechat.Unknown, Message: "Bad Request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var info wechat.CallInfo
			source := &fixedToken{token: "tok"}
			client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				if c.status == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}, func(cfg *wechat.Config) {
				cfg.Tokens, cfg.MaxBody = source, 4096
				cfg.OnCall = func(i wechat.CallInfo) { info = i }
			})
			_, err := client.BatchGet(t.Context(), someQueries(2))
			e, ok := errors.AsType[*wechat.Error](err)
			if !ok {
				t.Fatalf("error %v, want *wechat.Error", err)
			}
			got, want := *e, c.want
			want.Op, want.Status = "user/info/batchget", c.status
			if fmt.Sprint(got.Err) != fmt.Sprint(want.Err) {
				t.Errorf("cause %v, want %v", got.Err, want.Err)
			}
			got.Err, want.Err = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if wantReject := want.Class == wechat.StaleToken; wantReject != (len(source.rejected) == 1) {
				t.Errorf("rejected %v, want a rejection: %v", source.rejected, wantReject)
			}
			if !strings.Contains(c.name, "list") && (info.Class != want.Class || info.Code != want.Code || info.Status != c.status || info.Err == nil || info.Openids != 2) {
				t.Errorf("hook saw %+v", info)
			}
		})
	}
}

func TestSizeIsCheckedBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	client := clientOf(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }, nil)
	for _, n := range []int{0, 101} {
		if _, err := client.BatchGet(t.Context(), someQueries(n)); wechat.ClassOf(err) != wechat.Bug {
			t.Errorf("%d openids: %v, want Bug", n, err)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var got string
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("access_token") != "tok" || r.Header.Get("User-Agent") != "me" || len(r.Header["X-Idempotency-Key"]) != 0 {
			t.Errorf("token %q, headers %v", q.Get("access_token"), r.Header)
		}
		q.Del("access_token")
		got = r.Method + " " + r.URL.Path + " " + q.Encode()
		fmt.Fprint(w, `{"total":2,"count":1,"data":{"openid":["oA"]},"next_openid":"oA",
			"quota":{"daily_limit":10,"used":3,"remain":7},"rate_limit":{"call_count":600,"refresh_second":60},"user_info_list":[],"openid":"oA"}`)
	}, func(cfg *wechat.Config) { cfg.UserAgent = "me"; cfg.BaseURL += "/" })
	check := func(v any, err error, want string, wantValue any) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("sent %q, %v, want %q", got, err, want)
		}
		if diff := cmp.Diff(wantValue, v); diff != "" {
			t.Error(diff)
		}
	}
	page, err := client.Followers(t.Context(), "")
	check(page, err, "GET /cgi-bin/user/get ", wechat.Page{Total: 2, OpenIDs: []string{"oA"}, Next: "oA"})
	page, err = client.Followers(t.Context(), "o/1")
	check(page, err, "GET /cgi-bin/user/get next_openid=o%2F1", wechat.Page{Total: 2, OpenIDs: []string{"oA"}, Next: "oA"})
	quota, err := client.Quota(t.Context(), "/cgi-bin/user/info")
	check(quota, err, "POST /cgi-bin/openapi/quota/get ", wechat.Quota{Daily: 10, Used: 3, Remain: 7, Rate: 600, Per: time.Minute})
	user, err := client.UserInfo(t.Context(), wechat.Query{OpenID: "oA", Lang: "en"})
	check(user.OpenID, err, "GET /cgi-bin/user/info lang=en&openid=oA", "oA")
	users, err := client.BatchGet(t.Context(), someQueries(1))
	check(len(users), err, "POST /cgi-bin/user/info/batchget ", 0)
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.token(t)
		s.srv.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Do: wechattest.Action{Hang: true}})
		start := time.Now()
		_, err := s.client.BatchGet(t.Context(), []wechat.Query{{OpenID: s.OpenID(1)}})
		e, ok := errors.AsType[*wechat.Error](err)
		if !ok || !e.Timeout() || e.Class != wechat.Transient || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 20*time.Second {
			t.Errorf("after %v: %v, want a time-out after 20 s", time.Since(start), err)
		}
		if n, ok := errors.AsType[net.Error](err); !ok || !n.Timeout() {
			t.Errorf("%v holds no net.Error that timed out", err)
		}
	})
}

var errStop = errors.New("told to stop")

func TestCancelKeepsItsCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.token(t)
		s.srv.Inject(wechattest.Fault{Do: wechattest.Action{Hang: true}})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errStop) })
		_, err := s.client.BatchGet(ctx, []wechat.Query{{OpenID: s.OpenID(1)}})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errStop) || wechat.ClassOf(err) != wechat.Transient {
			t.Errorf("%v, want context.Canceled and its cause", err)
		}
	})
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	}, nil)
	if _, err := client.Followers(t.Context(), ""); wechat.ClassOf(err) != wechat.Transient {
		t.Errorf("%v, want Transient", err)
	}
}

// TestDeadKeepAlive has the server close the connection that the second call
// reuses, after it has read the request: without the transport's own repeat of
// it every such call would fail with EOF.
func TestDeadKeepAlive(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var mu sync.Mutex
	var conns int
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns++
			mu.Unlock()
			go answerOnce(conn)
		}
	}()
	client, err := wechat.New(wechat.Config{AppID: appid, Tokens: &fixedToken{token: "tok"}, BaseURL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := client.BatchGet(t.Context(), someQueries(3)); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if conns != 5 {
		t.Errorf("%d connections, want 5: none was reused, so this proves nothing", conns)
	}
}

// answerOnce answers one request with keep-alive, reads the next and hangs up.
func answerOnce(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 8192)
	if _, err := conn.Read(buf); err != nil {
		return
	}
	body := `{"user_info_list":[]}`
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	conn.Read(buf)
}
