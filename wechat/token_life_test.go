package wechat_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A process that comes late gets a token that is already old, and goes by the
// time that the answer says is left of it.
func TestRefreshGoesByTheTimeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		rt, stop := s.srv.Serve()
		t.Cleanup(stop)
		first := s.token(t)
		time.Sleep(6000 * time.Second)
		late, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: secret, BaseURL: "http://sim", Transport: rt})
		if err != nil {
			t.Fatal(err)
		}
		take := func(want int) (token wechat.Secret) {
			token, err := late.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.wantFetches(t, want)
			return token
		}
		if take(2) != first {
			t.Error("stable_token hands out two tokens")
		}
		if left := time.Until(late.Current().Expires); left != 1200*time.Second {
			t.Errorf("%v left, want 1200 s", left)
		}
		time.Sleep(899 * time.Second)
		take(2)
		time.Sleep(time.Second) // 300 s are left
		if take(3) == first {
			t.Error("not renewed ahead of the end")
		}
	})
}

// Whatever goes wrong all day, a process does not use up the day's fetches:
// 2,000 of the classic endpoint, 500,000 of the other.
func TestADayOfFetches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fetch    func(wechat.TokenConfig) (*wechat.Tokens, error)
		endpoint string
		quota    int
		pause    time.Duration // between two calls that want a token
	}{
		"classic": {wechat.NewClassicTokens, "token", 2_000, 3 * time.Second},
		"stable":  {wechat.NewStableTokens, "stable_token", 500_000, 17 * time.Second},
	} {
		for trouble, begin := range map[string]func(*sim){
			"rejected": func(*sim) {},
			"down":     func(s *sim) { s.srv.Inject(wechattest.Fault{Do: wechattest.Action{Status: 503}}) },
			"refused":  func(s *sim) { s.SetSecret("another") },
		} {
			t.Run(name+" "+trouble, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := simulate(t, wechattest.AccountConfig{}, c.fetch)
					begin(s)
					got := 0
					for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(c.pause) {
						if token, err := s.tokens.Token(t.Context()); err == nil {
							got++
							s.tokens.Reject(token)
							s.KillTokens()
						}
					}
					n := s.Stats().Calls[c.endpoint]
					if n >= c.quota || n < 24*60/2 {
						t.Errorf("%d fetches in a day, want less than %d and still some", n, c.quota)
					}
					if s.Stats().Codes[45009] > 0 || trouble == "rejected" && got != n {
						t.Errorf("%d tokens from %d fetches, codes %v", got, n, s.Stats().Codes)
					}
				})
			})
		}
	}
}
