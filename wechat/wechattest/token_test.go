package wechattest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// login is a raw client of one account, to see what the wire says.
type login struct {
	t   *testing.T
	srv *wechattest.Server
	acc *wechattest.Account
}

func newLogin(t *testing.T, cfg wechattest.AccountConfig) login {
	cfg.AppID, cfg.Secret, cfg.Followers = "wx1", "s", 10
	l := login{t: t, srv: wechattest.New()}
	l.acc = l.srv.AddAccount(cfg)
	return l
}

func (l login) classic() (token string, seconds int64) {
	return l.read(request(l.srv, "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s", ""))
}

func (l login) stable(force bool) (token string, seconds int64) {
	return l.read(request(l.srv, "POST", "/cgi-bin/stable_token",
		fmt.Sprintf(`{"grant_type":"client_credential","appid":"wx1","secret":"s","force_refresh":%v}`, force)))
}

func (l login) read(body string) (string, int64) {
	l.t.Helper()
	token := gjson.Get(body, "access_token").Str
	if token == "" {
		l.t.Errorf("no token: %s", body)
	}
	return token, gjson.Get(body, "expires_in").Int()
}

// want makes a data call with a token.
func (l login) want(token string, code int64) {
	l.t.Helper()
	body := request(l.srv, "GET", "/cgi-bin/user/info?access_token="+token+"&openid="+l.acc.OpenID(1), "")
	if got := gjson.Get(body, "errcode").Int(); got != code {
		l.t.Errorf("errcode %d, want %d", got, code)
	}
}

func TestClassicTokenEndsThePrevious(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, wechattest.AccountConfig{})
		first, seconds := l.classic()
		if seconds != 7200 {
			t.Errorf("expires_in %d, want 7200", seconds)
		}
		stable, _ := l.stable(false)
		time.Sleep(time.Minute)
		second, _ := l.classic()
		time.Sleep(5*time.Minute - time.Second)
		l.want(first, 0)
		time.Sleep(time.Second)
		l.want(first, 42001)
		l.want(second, 0)
		l.want(stable, 0) // the endpoints do not touch each other's
	})
}

func TestStableTokenStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, wechattest.AccountConfig{})
		first, _ := l.stable(false)
		time.Sleep(6899 * time.Second)
		again, seconds := l.stable(false)
		if again != first || seconds != 301 {
			t.Errorf("another token, or %d s left, want the same and 301", seconds)
		}
		time.Sleep(time.Second)
		second, seconds := l.stable(false)
		if second == first || seconds != 7200 {
			t.Errorf("no new token five minutes before the end, or %d s left", seconds)
		}
		time.Sleep(299 * time.Second)
		l.want(first, 0)
		time.Sleep(time.Second)
		l.want(first, 42001)
		l.want(second, 0)
	})
}

func TestForcedRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, wechattest.AccountConfig{})
		first, _ := l.stable(false)
		time.Sleep(time.Minute)
		second, _ := l.stable(true)
		l.want(first, 40001)
		l.want(second, 0)
		time.Sleep(29 * time.Second)
		if third, _ := l.stable(true); third != second {
			t.Error("a forced refresh within 30 s made a new token")
		}
		for range 19 {
			time.Sleep(30 * time.Second)
			l.stable(true)
		}
		time.Sleep(30 * time.Second)
		body := request(l.srv, "POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"wx1","secret":"s","force_refresh":true}`)
		if gjson.Get(body, "errcode").Int() != 45009 {
			t.Errorf("forced refresh 21 of a day: %s, want 45009", body)
		}
	})
}

func TestKillTokens(t *testing.T) {
	t.Parallel()
	for _, sticky := range []bool{false, true} {
		l := newLogin(t, wechattest.AccountConfig{Quirks: wechattest.Quirks{StickyToken: sticky}})
		first, _ := l.stable(false)
		classic, _ := l.classic()
		l.acc.KillTokens()
		l.want(first, 40001)
		l.want(classic, 40001)
		second, _ := l.stable(false)
		if sticky != (second == first) {
			t.Errorf("sticky %v: same token %v", sticky, second == first)
		}
	}
}

// TestBeginsAnew: who asks one that has been started again is refused with the old
// token, and must not be given it once more.
func TestBeginsAnew(t *testing.T) {
	t.Parallel()
	first, _ := newLogin(t, wechattest.AccountConfig{}).stable(false)
	again := newLogin(t, wechattest.AccountConfig{})
	again.want(first, 40001)
	second, _ := again.stable(false)
	if second == first {
		t.Error("a simulator that begins anew gives out the token of the one before it")
	}
	again.want(second, 0)
	again.want(first, 40001)
}

func TestWhitelistAndTokenQuota(t *testing.T) {
	t.Parallel()
	l := newLogin(t, wechattest.AccountConfig{Whitelist: []string{"10.0.0.1"}})
	body := request(l.srv, "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s", "")
	if gjson.Get(body, "errcode").Int() != 40164 {
		t.Errorf("%s, want 40164", body)
	}
	l = newLogin(t, wechattest.AccountConfig{Whitelist: []string{"192.0.2.1"}, Limits: wechattest.Limits{Token: 2}})
	l.classic()
	l.classic()
	body = request(l.srv, "GET", "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s", "")
	if gjson.Get(body, "errcode").Int() != 45009 {
		t.Errorf("%s, want 45009", body)
	}
}

func TestClearQuota(t *testing.T) {
	t.Parallel()
	l := newLogin(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 1, ClearQuota: 2}})
	token, _ := l.stable(false)
	for _, code := range []int64{0, 0, 48006} {
		l.want(token, 0)
		l.want(token, 45009)
		body := request(l.srv, "POST", "/cgi-bin/clear_quota?access_token="+token, `{"appid":"wx1"}`)
		if gjson.Get(body, "errcode").Int() != code {
			t.Fatalf("%s, want %d", body, code)
		}
	}
	l.want(token, 45009)
}
