package wechattest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// service is a simulator on pipes with one account, and a client of it.
type service struct {
	*wechattest.Account
	srv    *wechattest.Server
	client *wechat.Client
	tokens *wechat.Tokens
	rt     *http.Transport
}

func start(t testing.TB, cfg wechattest.AccountConfig, opts ...wechattest.Option) service {
	t.Helper()
	cfg.AppID, cfg.Secret = "wxtest", "right"
	s := service{srv: wechattest.New(opts...)}
	s.Account = s.srv.AddAccount(cfg)
	var stop func()
	s.rt, stop = s.srv.Serve()
	t.Cleanup(stop)
	var err error
	s.tokens, err = wechat.NewStableTokens(wechat.TokenConfig{AppID: cfg.AppID, Secret: "right", BaseURL: "http://sim", Transport: s.rt})
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = wechat.New(wechat.Config{AppID: cfg.AppID, Tokens: s.tokens, BaseURL: "http://sim", Transport: s.rt})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s service) queries(numbers ...int) []wechat.Query {
	qs := make([]wechat.Query, len(numbers))
	for i, n := range numbers {
		qs[i].OpenID = s.OpenID(n)
	}
	return qs
}

func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// rows returns what batchget answers, by openid.
func (s service) rows(t *testing.T, qs []wechat.Query) map[string]string {
	t.Helper()
	users, err := s.client.BatchGet(t.Context(), qs)
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, u := range users {
		rows[u.OpenID] = string(u.Raw)
	}
	return rows
}

func TestBatchSendsWhatUserTells(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]wechattest.AccountConfig{
		"2021":    {Followers: 200},
		"2015":    {Followers: 200, Shape: wechattest.Shape2015},
		"unbound": {Followers: 200, Unbound: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, cfg)
			s.Unfollow(s.OpenID(7))
			s.SetRow(s.OpenID(8), `{"subscribe":1,"openid":"`+s.OpenID(8)+`","new_field":[1]}`)
			want := make(map[string]string)
			for i := range 100 {
				row, ok := s.User(s.OpenID(i))
				if !ok || !gjson.ValidBytes(row) {
					t.Fatalf("User(%d) = %s, %v", i, row, ok)
				}
				want[s.OpenID(i)] = string(row)
			}
			if diff := cmp.Diff(want, s.rows(t, s.queries(upTo(100)...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSingleAnswersTheSameRow(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 10})
	want, _ := s.User(s.OpenID(3))
	u, err := s.client.UserInfo(t.Context(), wechat.Query{OpenID: s.OpenID(3), Lang: "zh_CN"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(u.Raw)); diff != "" {
		t.Error(diff)
	}
}

func TestPeopleDiffer(t *testing.T) {
	t.Parallel()
	a := wechattest.New().AddAccount(wechattest.AccountConfig{AppID: "wx1", Followers: 5000})
	seen := make(map[string]bool)
	scenes := make(map[string]int)
	remarks, most := 0, int64(0)
	for i := range 5000 {
		row, _ := a.User(a.OpenID(i))
		for _, id := range []string{gjson.GetBytes(row, "openid").Str, gjson.GetBytes(row, "unionid").Str} {
			if len(id) != 28 || seen[id] {
				t.Fatalf("id %q of person %d is malformed or occurs twice", id, i)
			}
			seen[id] = true
		}
		scenes[gjson.GetBytes(row, "subscribe_scene").Str]++
		most = max(most, gjson.GetBytes(row, "qr_scene").Int())
		if gjson.GetBytes(row, "remark").Str != "" {
			remarks++
		}
	}
	if len(scenes) != 13 || most != 4294967295 || remarks < 200 {
		t.Errorf("%d scenes, largest qr_scene %d, %d remarks: want 13, 4294967295, some hundreds", len(scenes), most, remarks)
	}
}

func TestFollowersPages(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 20_000})
	s.Unfollow(s.OpenID(5))
	s.Follow(s.OpenID(20_003))
	seen := make(map[string]bool)
	var sizes []int
	for next := ""; ; {
		p, err := s.client.Followers(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(p.OpenIDs))
		if p.Total != 20_000 {
			t.Errorf("total = %d, want 20000", p.Total)
		}
		if len(p.OpenIDs) == 0 {
			break
		}
		for _, id := range p.OpenIDs {
			seen[id] = true
		}
		next = p.Next
	}
	// The page behind the last one is empty even when the last one is full.
	if diff := cmp.Diff([]int{10_000, 10_000, 0}, sizes); diff != "" {
		t.Error(diff)
	}
	if len(seen) != 20_000 || seen[s.OpenID(5)] || !seen[s.OpenID(20_003)] {
		t.Errorf("%d followers; the one who left: %v; the new one: %v", len(seen), seen[s.OpenID(5)], seen[s.OpenID(20_003)])
	}
}

// TestStrict sends what the real service refuses.
func TestStrict(t *testing.T) {
	t.Parallel()
	srv := wechattest.New()
	acc := srv.AddAccount(wechattest.AccountConfig{AppID: "wx1", Secret: "s", Followers: 300, Quirks: wechattest.Quirks{RefuseDashLang: true}})
	other := srv.AddAccount(wechattest.AccountConfig{AppID: "wx2", Secret: "s", Followers: 300})
	srv.AddAccount(wechattest.AccountConfig{AppID: "wx3", Secret: "s", Unverified: true})
	token := func(appid string) string {
		body := request(srv, "POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"`+appid+`","secret":"s"}`)
		return gjson.Get(body, "access_token").Str
	}
	tok, tok2, tok3 := "?access_token="+token("wx1"), "?access_token="+token("wx2"), "?access_token="+token("wx3")
	list := func(openids ...string) string {
		return `{"user_list":[{"openid":"` + strings.Join(openids, `"},{"openid":"`) + `"}]}`
	}
	many := func(n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = acc.OpenID(i)
		}
		return list(ids...)
	}
	const batch, info, get = "/cgi-bin/user/info/batchget", "/cgi-bin/user/info", "/cgi-bin/user/get"
	for _, c := range []struct {
		name, method, url, body string
		code                    int64
	}{
		{"100", "POST", batch + tok, many(100), 0},
		{"101", "POST", batch + tok, many(101), 40032},
		{"none", "POST", batch + tok, `{"user_list":[]}`, 40032},
		{"no list", "POST", batch + tok, `{}`, 40031},
		{"form", "POST", batch + tok, `user_list=1`, 47001},
		{"array", "POST", batch + tok, `[]`, 47001},
		{"empty", "POST", batch + tok, ``, 44002},
		{"GET", "GET", batch + tok, ``, 43002},
		{"POST info", "POST", info + tok + "&openid=" + acc.OpenID(1), ``, 43001},
		{"POST get", "POST", get + tok, ``, 43001},
		{"GET stable_token", "GET", "/cgi-bin/stable_token", ``, 43002},
		{"no token", "POST", batch, many(1), 41001},
		{"bad token", "POST", batch + "?access_token=x", many(1), 40001},
		{"altered token", "POST", batch + tok + "x", many(1), 40001},
		{"other token", "POST", batch + tok2, many(1), 40003},
		{"other openid", "POST", batch + tok, list(acc.OpenID(1), other.OpenID(1)), 40003},
		{"stray character", "POST", batch + tok, list(acc.OpenID(1), acc.OpenID(2)+"["), 40003},
		{"return", "POST", batch + tok, list(acc.OpenID(1) + `\r`), 40003},
		{"bad", "POST", batch + tok, list(acc.OpenID(1), acc.BadOpenID(1)), 40003},
		{"unknown", "POST", batch + tok, list(acc.OpenID(1), acc.UnknownOpenID(1)), 40003},
		{"never followed", "POST", batch + tok, list(acc.OpenID(300)), 40003},
		{"not a string", "POST", batch + tok, `{"user_list":[{"openid":1}]}`, 40003},
		{"lang", "POST", batch + tok, `{"user_list":[{"openid":"` + acc.OpenID(1) + `","lang":"zh_CN"}]}`, 0},
		{"dash lang", "POST", batch + tok, `{"user_list":[{"openid":"` + acc.OpenID(1) + `","lang":"zh-CN"}]}`, 40035},
		{"unverified", "POST", batch + tok3, many(1), 48001},
		{"info", "GET", info + tok + "&openid=" + acc.OpenID(1), ``, 0},
		{"info without openid", "GET", info + tok, ``, 41009},
		{"info bad", "GET", info + tok + "&openid=" + acc.BadOpenID(1), ``, 40003},
		{"get", "GET", get + tok, ``, 0},
		{"get with an empty cursor", "GET", get + tok + "&next_openid=", ``, 40003},
		{"get with another's cursor", "GET", get + tok + "&next_openid=" + other.OpenID(1), ``, 40003},
		{"unknown path", "GET", "/cgi-bin/nothing" + tok, ``, 40066},
		{"grant", "GET", "/cgi-bin/token?grant_type=x&appid=wx1&secret=s", ``, 40002},
		{"no appid", "GET", "/cgi-bin/token?grant_type=client_credential&secret=s", ``, 41002},
		{"no secret", "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1", ``, 41004},
		{"appid", "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx9&secret=s", ``, 40013},
		{"secret", "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=x", ``, 40001},
		{"classic", "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s", ``, 0},
		{"classic by POST", "POST", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s", ``, 43001},
		{"stable form", "POST", "/cgi-bin/stable_token", `appid=wx1`, 47001},
		{"quota path", "POST", "/cgi-bin/openapi/quota/get" + tok, `{"cgi_path":"/x"}`, 76021},
		{"clear other", "POST", "/cgi-bin/clear_quota" + tok, `{"appid":"wx2"}`, 40013},
		{"clear", "POST", "/cgi-bin/clear_quota" + tok, `{"appid":"wx1"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := request(srv, c.method, c.url, c.body)
			code := gjson.Get(body, "errcode").Int()
			if code != c.code || !gjson.Valid(body) {
				t.Fatalf("%s, want errcode %d", body, c.code)
			}
			if msg := gjson.Get(body, "errmsg").Str; code != 0 && !strings.Contains(msg, " rid: ") {
				t.Errorf("errmsg %q has no rid", msg)
			}
		})
	}
}

func request(h http.Handler, method, url, body string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body)))
	b, _ := io.ReadAll(w.Result().Body)
	return string(b)
}
