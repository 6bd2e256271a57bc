package wechattest_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestControlsOverHTTP(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 5})
	ask := func(method, path, body, want string) string {
		t.Helper()
		got := strings.TrimSpace(request(s.srv, method, path, body))
		if want != "" && got != want {
			t.Errorf("%s %s: %s, want %s", method, path, got, want)
		}
		return got
	}
	s.wantCode(t, 0, s.queries(1, 2))

	row, _ := s.User(s.OpenID(1))
	ask("GET", "/_sim/user?appid=wxtest&openid="+s.OpenID(1), "", string(row))
	ask("GET", "/_sim/users?appid=wxtest&offset=1&limit=2", "", `{"openids":["`+s.OpenID(1)+`","`+s.OpenID(2)+`"],"total":5}`)

	ask("POST", "/_sim/fault", `{"match":{"endpoint":"user/info/batchget"},"times":1,"do":{"code":-1,"latency":{"median":"1ms","p99":"2ms"}}}`, `{"id":1}`)
	ask("POST", "/_sim/fault", `{"do":{"code":45009}}`, `{"id":2}`)
	ask("DELETE", "/_sim/fault?id=2", "", `{"removed":1}`)
	s.wantCode(t, -1, s.queries(1))
	s.wantCode(t, 0, s.queries(1))
	ask("DELETE", "/_sim/fault", "", `{"removed":1}`)

	ask("POST", "/_sim/kill-tokens?appid=wxtest", "", `{"ok":true}`)
	s.wantCode(t, 40001, s.queries(1))
	ask("POST", "/_sim/secret", `{"appid":"wxtest","secret":"new"}`, `{"ok":true}`)
	s.wantCode(t, 40001, s.queries(1))

	stats := ask("GET", "/_sim/stats", "", "")
	if got := gjson.Get(stats, "wxtest.calls").Raw; got != `{"stable_token":2,"user/info/batchget":4}` {
		t.Errorf("calls %s in %s", got, stats)
	}
	for _, c := range [][3]string{
		{"POST", "/_sim/fault", `{"do":{"cod":1}}`},
		{"POST", "/_sim/fault", `{"do":{"slow":"-1s"}}`},
		{"GET", "/_sim/users?appid=wxnone", ""},
		{"GET", "/_sim/users?appid=wxtest&limit=-1", ""},
		{"GET", "/_sim/user?appid=wxtest&openid=x", ""},
		{"DELETE", "/_sim/stats", ""},
	} {
		if got := ask(c[0], c[1], c[2], ""); gjson.Get(got, "error").Str == "" {
			t.Errorf("%s %s %s: %s, want an error", c[0], c[1], c[2], got)
		}
	}
}

func TestStatsAndLog(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 100}, wechattest.WithLog(3))
	for i := range 5 {
		s.wantCode(t, 0, s.queries(i, i+1))
	}
	s.wantCode(t, 40003, []wechat.Query{{OpenID: s.BadOpenID(0)}})
	want := wechattest.Stats{Calls: map[string]int{"stable_token": 1, "user/info/batchget": 6},
		Codes: map[int]int{0: 6, 40003: 1}, OpenIDs: 11, TokensIssued: 1, MaxConcurrent: 1}
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Error(diff)
	}
	var asked [][]string
	for _, c := range s.Log() {
		asked = append(asked, c.OpenIDs)
	}
	if diff := cmp.Diff([][]string{{s.OpenID(3), s.OpenID(4)}, {s.OpenID(4), s.OpenID(5)}, {s.BadOpenID(0)}}, asked); diff != "" {
		t.Error(diff)
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 1000})
	s.srv.Inject(wechattest.Fault{Match: wechattest.Match{Probability: 0.1}, Do: wechattest.Action{Code: -1}})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 30 {
				s.client.BatchGet(t.Context(), s.queries(w, 8+i, 100+i))
				s.client.Followers(t.Context(), "")
				s.Unfollow(s.OpenID(200 + i))
				s.Follow(s.OpenID(2000 + i))
				s.Stats()
				if i == 15 {
					s.KillTokens()
				}
			}
		})
	}
	wg.Wait()
	if got := s.Stats(); got.MaxConcurrent < 2 || got.MaxConcurrent > 8 {
		t.Errorf("%d calls at once, want 2 to 8", got.MaxConcurrent)
	}
}
