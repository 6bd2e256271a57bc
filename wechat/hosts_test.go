package wechat_test

import (
	"context"
	"errors"
	"fmt"
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

// doors reaches one simulator by several hosts, some of which may be shut.
type doors struct {
	rt http.RoundTripper

	mu   sync.Mutex
	shut map[string]bool
}

func (d *doors) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut[r.URL.Host] {
		return nil, errors.New("connection refused")
	}
	return d.rt.RoundTrip(r)
}

func (d *doors) set(host string, shut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut[host] = shut
}

// TestHosts has a client and its tokens share their hosts for some minutes.
func TestHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim := wechattest.New()
		acc := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: secret, Followers: 10})
		rt, stop := sim.Serve()
		defer stop()
		d := &doors{rt: rt, shut: map[string]bool{}}
		var changes []string
		hosts, err := wechat.NewHosts(func(c wechat.HostChange) {
			changes = append(changes, fmt.Sprintf("%s > %s: %v", c.From, c.To, c.Err))
		}, "http://one", "http://two:81/")
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		onCall := func(c wechat.CallInfo) { asked = append(asked, c.Op+" "+c.Host) }
		tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: secret, Hosts: hosts, Transport: d, OnCall: onCall})
		if err != nil {
			t.Fatal(err)
		}
		client, err := wechat.New(wechat.Config{AppID: appid, Tokens: tokens, Hosts: hosts, Transport: d, OnCall: onCall})
		if err != nil {
			t.Fatal(err)
		}
		call := func(wantErr bool, want ...string) {
			t.Helper()
			asked = nil
			if _, err := client.UserInfo(t.Context(), wechat.Query{OpenID: acc.OpenID(1)}); (err != nil) != wantErr {
				t.Errorf("error %v, want one: %v", err, wantErr)
			}
			if d := cmp.Diff(want, asked); d != "" {
				t.Error(d)
			}
		}
		d.set("one", true)
		call(true, "stable_token one") // one call is one attempt
		call(false, "stable_token two:81", "user/info two:81")
		time.Sleep(30 * time.Second)
		call(true, "user/info one")
		call(false, "user/info two:81")
		d.set("one", false)
		time.Sleep(time.Minute)
		call(false, "user/info one")
		call(false, "user/info one")

		// An errcode is an answer.
		remove := sim.Inject(wechattest.Fault{Do: wechattest.Action{Code: -1}})
		call(true, "user/info one")
		remove()
		call(false, "user/info one")
		want := []string{"one > two:81: wechat: stable_token: connection refused", "two:81 > one: <nil>"}
		if d := cmp.Diff(want, changes); d != "" {
			t.Error(d)
		}
	})
}

// TestHostChangeSaysHowTheFormerFailed has the first two of three hosts fail in
// different ways before the third answers, and then the third.
func TestHostChangeSaysHowTheFormerFailed(t *testing.T) {
	t.Parallel()
	sim := wechattest.New()
	acc := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: secret, Followers: 10})
	rt, stop := sim.Serve()
	defer stop()
	fails := map[string]string{"one": "refused", "two": "unreachable"}
	var changes []string
	hosts, err := wechat.NewHosts(func(c wechat.HostChange) {
		changes = append(changes, fmt.Sprintf("%s > %s: %v", c.From, c.To, c.Err))
	}, "http://one", "http://two", "http://three")
	if err != nil {
		t.Fatal(err)
	}
	door := func(r *http.Request) (*http.Response, error) {
		if why := fails[r.URL.Host]; why != "" {
			return nil, errors.New(why)
		}
		return rt.RoundTrip(r)
	}
	tokens := wechat.NewTokens("kept", func(context.Context, wechat.Wanted) (wechat.Token, error) {
		return wechat.Token{Value: "of nobody", Expires: time.Now().Add(time.Hour)}, nil
	})
	client, err := wechat.New(wechat.Config{AppID: appid, Tokens: tokens, Hosts: hosts, Transport: roundTripper(door)})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(n int) {
		for range n {
			_, _ = client.UserInfo(t.Context(), wechat.Query{OpenID: acc.OpenID(1)}) // an errcode is an answer as well
		}
	}
	ask(3)
	fails = map[string]string{"three": "reset"}
	ask(2)
	want := []string{"one > three: wechat: user/info: refused", "three > one: <nil>"}
	if d := cmp.Diff(want, changes); d != "" {
		t.Error(d)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWhatMakesCallsLeaveAHost has the first of two hosts answer in every way,
// once.
func TestWhatMakesCallsLeaveAHost(t *testing.T) {
	t.Parallel()
	ok := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"openid":"oA"}`) }))
	t.Cleanup(ok.Close)
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		leave bool
	}{
		"rows":         {answer(200, `{"openid":"oA"}`), false},
		"errcode":      {answer(200, `{"errcode":-1,"errmsg":"system busy"}`), false},
		"stale":        {answer(200, `{"errcode":40001}`), false},
		"500 + code":   {answer(500, `{"errcode":45009}`), false},
		"403":          {answer(403, ""), false},
		"429":          {answer(429, ""), false},
		"302":          {answer(302, ""), true},
		"500":          {answer(500, ""), true},
		"561":          {answer(561, ""), true},
		"HTML":         {answer(200, "<html>"), true},
		"nothing":      {answer(200, ""), true},
		"truncated":    {answer(200, `{"openid":`), true},
		"hang":         {failures["hang"], true},
		"reset":        {failures["reset"], true},
		"closed":       {failures["close"], true},
		"short length": {failures["truncated"], true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(c.h)
			t.Cleanup(srv.Close)
			hosts, err := wechat.NewHosts(nil, srv.URL, ok.URL)
			if err != nil {
				t.Fatal(err)
			}
			timeout := 30 * time.Second
			if name == "hang" {
				timeout = 300 * time.Millisecond
			}
			var host string
			client, err := wechat.New(wechat.Config{AppID: appid, Tokens: &fixedToken{token: "tok"}, Hosts: hosts,
				Timeout: timeout, OnCall: func(i wechat.CallInfo) { host = i.Host }})
			if err != nil {
				t.Fatal(err)
			}
			client.UserInfo(t.Context(), someQueries(1)[0])
			client.UserInfo(t.Context(), someQueries(1)[0])
			if left := "http://"+host == ok.URL; left != c.leave {
				t.Errorf("the second call went to the other host: %v, want %v", left, c.leave)
			}
		})
	}
}

// TestGivingUpSaysNothingOfTheHost cancels a call.
func TestGivingUpSaysNothingOfTheHost(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"openid":"oA"}`) }))
	t.Cleanup(srv.Close)
	hosts, err := wechat.NewHosts(nil, srv.URL, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	client, err := wechat.New(wechat.Config{AppID: appid, Tokens: &fixedToken{token: "tok"}, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UserInfo(cancelled(t), someQueries(1)[0]); err == nil {
		t.Error("no error from a call that was given up")
	}
	if _, err := client.UserInfo(t.Context(), someQueries(1)[0]); err != nil {
		t.Error(err)
	}
}

func TestHostsAreChecked(t *testing.T) {
	t.Parallel()
	if _, err := wechat.NewHosts(nil); err == nil {
		t.Error("no host is enough")
	}
	_, err := wechat.NewHosts(nil, "https://api.weixin.qq.com", "https://u:hush@h")
	if err == nil || !strings.Contains(err.Error(), "host 2") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v, want a fault of host 2 that does not repeat it", err)
	}
	hosts, err := wechat.NewHosts(nil, "http://h")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wechat.New(wechat.Config{AppID: appid, Tokens: &fixedToken{}, Hosts: hosts, BaseURL: "http://h"}); err == nil {
		t.Error("BaseURL beside Hosts is accepted")
	}
}
