package wechattest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

var onBatch = wechattest.Match{Endpoint: "user/info/batchget"}

// TestFaultsThatFail has each fault seen by the client as what it is.
func TestFaultsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   wechattest.Action
		want wechat.Error
		text string
	}{
		"code":            {wechattest.Action{Code: -1}, wechat.Error{Class: wechat.Transient, Code: -1}, "system error"},
		"own message":     {wechattest.Action{Code: 50002, Message: "limited"}, wechat.Error{Class: wechat.Permission, Code: 50002}, "limited"},
		"quoted":          {wechattest.Action{Code: 45009, Quoted: true}, wechat.Error{Class: wechat.DailyQuota, Code: 45009}, "quota"},
		"status":          {wechattest.Action{Status: 561}, wechat.Error{Class: wechat.Transient, Status: 561}, "561"},
		"HTML":            {wechattest.Action{HTML: true}, wechat.Error{Class: wechat.Transient, Status: 200}, "not JSON"},
		"HTML 502":        {wechattest.Action{HTML: true, Status: 502}, wechat.Error{Class: wechat.Transient, Status: 502}, "502"},
		"body":            {wechattest.Action{Body: `{}`}, wechat.Error{Class: wechat.Transient}, "no user_info_list"},
		"reset":           {wechattest.Action{Reset: true}, wechat.Error{Class: wechat.Transient}, "EOF"},
		"truncated":       {wechattest.Action{Truncate: 100}, wechat.Error{Class: wechat.Transient}, "EOF"},
		"hang":            {wechattest.Action{Hang: true}, wechat.Error{Class: wechat.Transient}, "deadline"},
		"slow body":       {wechattest.Action{Slow: wechattest.Duration(time.Minute)}, wechat.Error{Class: wechat.Transient, Status: 200}, "deadline"},
		"latency":         {wechattest.Action{Latency: new(wechattest.Constant(time.Minute))}, wechat.Error{Class: wechat.Transient}, "deadline"},
		"late and failed": {wechattest.Action{Latency: new(wechattest.Constant(time.Second)), Code: 40003}, wechat.Error{Class: wechat.BadOpenID, Code: 40003}, "openid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := start(t, wechattest.AccountConfig{Followers: 10})
				remove := s.srv.Inject(wechattest.Fault{Match: onBatch, Do: c.do})
				_, err := s.client.BatchGet(t.Context(), s.queries(1, 2, 3))
				if !errors.Is(err, &c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("error %v, want %+v with %q", err, c.want, c.text)
				}
				remove()
				if _, err := s.client.BatchGet(t.Context(), s.queries(1, 2, 3)); err != nil {
					t.Errorf("after its removal: %v", err)
				}
			})
		})
	}
}

func TestResetOnTCP(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 10})
	s.srv.Inject(wechattest.Fault{Match: onBatch, Do: wechattest.Action{Reset: true}})
	web := httptest.NewServer(s.srv)
	t.Cleanup(web.Close)
	client, err := wechat.New(wechat.Config{AppID: "wxtest", Tokens: s.tokens, BaseURL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.BatchGet(t.Context(), s.queries(1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("error %v, want a reset", err)
	}
}

// TestFaultsOfRows has each fault do to a batch what it says.
func TestFaultsOfRows(t *testing.T) {
	t.Parallel()
	const n, at = 20, 7
	for name, c := range map[string]struct {
		do    wechattest.Action
		check func(s service, users []wechat.User) bool
	}{
		"missing": {wechattest.Action{MissingRow: true}, func(s service, users []wechat.User) bool {
			return len(users) == n-1 && !slices.ContainsFunc(users, func(u wechat.User) bool { return u.OpenID == s.OpenID(at) })
		}},
		"doubled": {wechattest.Action{DoubledRow: true}, func(s service, users []wechat.User) bool {
			return len(users) == n+1 && users[at].OpenID == users[n].OpenID && users[n].OpenID == s.OpenID(at)
		}},
		"unasked": {wechattest.Action{UnaskedRow: true}, func(s service, users []wechat.User) bool {
			return len(users) == n+1 && users[n].OpenID == s.OpenID(n)
		}},
		"blank": {wechattest.Action{BlankRow: true}, func(s service, users []wechat.User) bool {
			return len(users) == n && users[at].Subscribe == 0 && users[at].OpenID == s.OpenID(at) && users[at+1].Subscribe == 1
		}},
		"shifted": {wechattest.Action{ShiftUnionID: true}, func(s service, users []wechat.User) bool {
			return len(users) == n && users[at-1].UnionID == s.union(at-1) && users[at].UnionID == s.union(at+1) && users[n-1].UnionID == ""
		}},
		"control characters": {wechattest.Action{ControlChars: true}, func(s service, users []wechat.User) bool {
			return len(users) == n && strings.HasPrefix(users[0].Remark, "\a\b\x14")
		}},
		"slow": {wechattest.Action{Slow: wechattest.Duration(10 * time.Second)}, func(s service, users []wechat.User) bool { return len(users) == n }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := start(t, wechattest.AccountConfig{Followers: 100, Quirks: wechattest.Quirks{KeepOrder: true}})
				s.srv.Inject(wechattest.Fault{Match: wechattest.Match{OpenID: s.OpenID(at)}, Do: c.do})
				users, err := s.client.BatchGet(t.Context(), s.queries(upTo(n)...))
				if err != nil || !c.check(s, users) {
					t.Errorf("%v; got %d rows: %+v", err, len(users), users)
				}
			})
		})
	}
}

func (s service) union(i int) string {
	row, _ := s.User(s.OpenID(i))
	return gjson.GetBytes(row, "unionid").Str
}

// codes makes n calls and returns their errcodes.
func (s service) codes(ctx context.Context, n int) []int {
	codes := make([]int, n)
	for i := range codes {
		_, err := s.client.BatchGet(ctx, s.queries(i))
		if e, ok := errors.AsType[*wechat.Error](err); ok {
			codes[i] = e.Code
		}
	}
	return codes
}

func TestFaultMatches(t *testing.T) {
	t.Parallel()
	s := start(t, wechattest.AccountConfig{Followers: 100})
	fault := func(times int, m wechattest.Match) wechattest.Fault {
		m.Endpoint = "user/info/batchget"
		return wechattest.Fault{Match: m, Times: times, Do: wechattest.Action{Code: -1}}
	}
	for name, c := range map[string]struct {
		fault wechattest.Fault
		want  []int
	}{
		"always":        {fault(0, wechattest.Match{}), []int{-1, -1, -1, -1}},
		"twice":         {fault(2, wechattest.Match{}), []int{-1, -1, 0, 0}},
		"the third":     {fault(0, wechattest.Match{Nth: 3}), []int{0, 0, -1, 0}},
		"openid":        {fault(0, wechattest.Match{OpenID: s.OpenID(1)}), []int{0, -1, 0, 0}},
		"appid":         {fault(0, wechattest.Match{AppID: "wxtest"}), []int{-1, -1, -1, -1}},
		"another appid": {fault(0, wechattest.Match{AppID: "wxother"}), []int{0, 0, 0, 0}},
	} {
		remove := s.srv.Inject(c.fault)
		if diff := cmp.Diff(c.want, s.codes(t.Context(), 4)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		remove()
	}
	s.srv.Inject(fault(0, wechattest.Match{Probability: 0.3}))
	failed := 0
	for range 10 {
		for _, code := range s.codes(t.Context(), 100) {
			if code == -1 {
				failed++
			}
		}
	}
	if failed < 230 || failed > 370 {
		t.Errorf("%d of 1000 calls failed, want about 300", failed)
	}
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		latency           wechattest.Latency
		least, mid, worst time.Duration
	}{
		"constant":  {wechattest.Constant(50 * time.Millisecond), 50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond},
		"uniform":   {wechattest.Uniform(10*time.Millisecond, 90*time.Millisecond), 10 * time.Millisecond, 50 * time.Millisecond, 90 * time.Millisecond},
		"lognormal": {wechattest.LogNormal(60*time.Millisecond, 152*time.Millisecond), 10 * time.Millisecond, 60 * time.Millisecond, 152 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := start(t, wechattest.AccountConfig{Followers: 10}, wechattest.WithLatency(c.latency))
				took := make([]time.Duration, 1000)
				for i := range took {
					begin := time.Now()
					if _, err := s.client.Quota(t.Context(), "/cgi-bin/user/get"); err != nil {
						t.Fatal(err)
					}
					took[i] = time.Since(begin)
				}
				took = took[1:] // the first has a token to fetch
				slices.Sort(took)
				near := func(got, want time.Duration) bool { return got > want*8/10 && got < want*12/10 }
				if took[0] < c.least || !near(took[500], c.mid) || !near(took[989], c.worst) {
					t.Errorf("least %v, median %v, p99 %v, want %v, %v, %v", took[0], took[500], took[989], c.least, c.mid, c.worst)
				}
			})
		})
	}
}

// TestRefusedAtTheDoor takes the time of a call for that of looking people up:
// with a token that is dead nobody is.
func TestRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, wechattest.AccountConfig{Followers: 10}, wechattest.WithLatency(wechattest.Constant(time.Second)))
		took := func() time.Duration {
			begin := time.Now()
			_, _ = s.client.Quota(t.Context(), "/cgi-bin/user/get")
			return time.Since(begin)
		}
		if d := took(); d != 2*time.Second {
			t.Errorf("a token and a call: %v, want 2s", d)
		}
		s.KillTokens()
		if d := took(); d != 0 {
			t.Errorf("a dead token: %v, want it refused at once", d)
		}
	})
}
