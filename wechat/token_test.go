package wechat_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// sim is a simulator on pipes with one account.
type sim struct {
	*wechattest.Account
	srv    *wechattest.Server
	tokens *wechat.Tokens
	client *wechat.Client
}

const appid, secret = "wxsim", "5f4dcc3b5aa765d61d8327deb882cf99"

func simulate(t *testing.T, cfg wechattest.AccountConfig, fetch func(wechat.TokenConfig) (*wechat.Tokens, error)) *sim {
	t.Helper()
	cfg.AppID, cfg.Secret = appid, secret
	if cfg.Followers == 0 {
		cfg.Followers = 100
	}
	s := &sim{srv: wechattest.New()}
	s.Account = s.srv.AddAccount(cfg)
	rt, stop := s.srv.Serve()
	t.Cleanup(stop)
	var err error
	s.tokens, err = fetch(wechat.TokenConfig{AppID: appid, Secret: secret, BaseURL: "http://sim", Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = wechat.New(wechat.Config{AppID: appid, Tokens: s.tokens, BaseURL: "http://sim", Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sim) token(t *testing.T) wechat.Secret {
	t.Helper()
	token, err := s.tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *sim) fetches() int {
	calls := s.Stats().Calls
	return calls["stable_token"] + calls["token"]
}

func (s *sim) wantFetches(t *testing.T, want int) {
	t.Helper()
	if got := s.fetches(); got != want {
		t.Errorf("%d fetches, want %d", got, want)
	}
}

var slow = wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"},
	Do: wechattest.Action{Latency: new(wechattest.Constant(time.Second))}}

func TestManyWaitForOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.srv.Inject(slow)
		first := s.token(t)
		s.wantFetches(t, 1)
		s.KillTokens()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				s.tokens.Reject(first)
				if token := s.token(t); token == first {
					t.Error("the rejected token is still handed out")
				}
			})
		}
		wg.Wait()
		s.wantFetches(t, 2)
		s.tokens.Reject(first) // late news
		s.token(t)
		s.wantFetches(t, 2)
	})
}

func TestManyShareAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.SetSecret("another")
		s.srv.Inject(slow)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := s.tokens.Token(t.Context()); !errors.Is(err, &wechat.Error{Class: wechat.Operator, Code: 40001, Op: "stable_token"}) {
					t.Errorf("error %v, want Operator", err)
				}
			})
		}
		wg.Wait()
		s.wantFetches(t, 1)
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.srv.Inject(slow)
		var wg sync.WaitGroup
		// The first to come gives up in mid-fetch; that is no failure to share.
		leader, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		wg.Go(func() {
			if _, err := s.tokens.Token(leader); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("leader: %v, want its deadline", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { s.token(t) })
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := s.tokens.Token(short)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond || wechat.ClassOf(err) != wechat.Transient {
			t.Errorf("after %v: %v, want the deadline after 100ms", time.Since(start), err)
		}
		wg.Wait()
	})
}

func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		first := s.token(t)
		time.Sleep(6890 * time.Second)
		s.token(t)
		s.wantFetches(t, 1)

		// Due, but the endpoint is down: the old token serves on, with a try
		// every half a minute.
		down := s.srv.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"}, Do: wechattest.Action{Status: 503}})
		time.Sleep(20 * time.Second)
		for range 10 {
			if s.token(t) != first {
				t.Error("token changed while the endpoint is down")
			}
		}
		s.wantFetches(t, 2)
		time.Sleep(31 * time.Second)
		s.token(t)
		s.wantFetches(t, 3)

		down()
		time.Sleep(31 * time.Second)
		if s.token(t) == first {
			t.Error("token not refreshed ahead of its end")
		}
		s.wantFetches(t, 4)
		if end := s.tokens.Current().Expires; time.Until(end) != 7200*time.Second {
			t.Errorf("new token ends in %v, want 7200 s", time.Until(end))
		}
	})
}

func TestTokenUsedToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		first := s.token(t)
		s.srv.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"}, Do: wechattest.Action{Hang: true}})
		time.Sleep(7100 * time.Second)
		start := time.Now()
		if s.token(t) != first || time.Since(start) > 3*time.Second {
			t.Errorf("early refresh held its caller up for %v", time.Since(start))
		}
		time.Sleep(101 * time.Second)
		if _, err := s.tokens.Token(t.Context()); err == nil {
			t.Error("an expired token was handed out")
		}
	})
}

func TestFetchesAreCapped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fetch   func(wechat.TokenConfig) (*wechat.Tokens, error)
		spacing time.Duration
	}{
		"stable":  {wechat.NewStableTokens, 5 * time.Second},
		"classic": {wechat.NewClassicTokens, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := simulate(t, wechattest.AccountConfig{}, c.fetch)
				for range 5 {
					s.tokens.Reject(s.token(t))
					s.KillTokens()
				}
				_, err := s.tokens.Token(t.Context())
				e, ok := errors.AsType[*wechat.Error](err)
				if !ok || e.Class != wechat.Transient || e.After != c.spacing {
					t.Fatalf("sixth fetch: %v, want Transient after %v", err, c.spacing)
				}
				s.wantFetches(t, 5)
				time.Sleep(e.After)
				s.token(t)
				s.wantFetches(t, 6)
			})
		})
	}
}

func TestWrongSecretStaysWrongBeyondTheCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
		s.SetSecret("another")
		for i := range 8 {
			_, err := s.tokens.Token(t.Context())
			if wechat.ClassOf(err) != wechat.Operator {
				t.Fatalf("fetch %d: %v, want Operator", i, err)
			}
		}
		s.wantFetches(t, 5)
		// The mended secret is tried at once.
		s.tokens.SetSecret("another")
		s.token(t)
		s.wantFetches(t, 6)
	})
}

// TestSameTokenAgain has stable_token hand out the token that was rejected.
func TestSameTokenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{Quirks: wechattest.Quirks{StickyToken: true}}, wechat.NewStableTokens)
		first := s.token(t)
		s.KillTokens()
		for range 100 {
			_, err := s.client.UserInfo(t.Context(), wechat.Query{OpenID: s.OpenID(1)})
			if wechat.ClassOf(err) != wechat.StaleToken {
				t.Fatalf("error %v, want StaleToken", err)
			}
		}
		if s.token(t) != first {
			t.Error("another token came from nowhere")
		}
		s.wantFetches(t, 2)
		time.Sleep(31 * time.Second)
		s.tokens.Reject(first)
		s.token(t)
		s.wantFetches(t, 3)
	})
}

func TestRejectedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, wechattest.AccountConfig{}, wechat.NewClassicTokens)
		q := wechat.Query{OpenID: s.OpenID(1)}
		if _, err := s.client.UserInfo(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		s.KillTokens()
		if _, err := s.client.UserInfo(t.Context(), q); !errors.Is(err, &wechat.Error{Class: wechat.StaleToken, Code: 40001, Op: "user/info"}) {
			t.Fatalf("error %v, want StaleToken", err)
		}
		if _, err := s.client.UserInfo(t.Context(), q); err != nil {
			t.Fatalf("with a new token: %v", err)
		}
		s.wantFetches(t, 2)
	})
}

func TestTokenAnswerWithoutToken(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"access_token":"x"}`, `{"expires_in":7200}`, `{"access_token":"x","expires_in":-1}`, `{}`} {
		synctest.Test(t, func(t *testing.T) {
			s := simulate(t, wechattest.AccountConfig{}, wechat.NewStableTokens)
			s.srv.Inject(wechattest.Fault{Do: wechattest.Action{Body: body}})
			if _, err := s.tokens.Token(t.Context()); wechat.ClassOf(err) != wechat.Transient || err == nil {
				t.Errorf("%s: %v, want Transient", body, err)
			}
		})
	}
}

func TestConfigFaultsAreJoined(t *testing.T) {
	t.Parallel()
	_, err := wechat.New(wechat.Config{BaseURL: "ftp://u:p@x/?q", Timeout: -1, MaxBody: -1})
	_, terr := wechat.NewStableTokens(wechat.TokenConfig{BaseURL: "sim", Timeout: -1})
	var missing []string
	for _, field := range []string{"AppID", "Tokens", "BaseURL", "Timeout", "MaxBody"} {
		if !strings.Contains(err.Error(), field+":") {
			missing = append(missing, field)
		}
	}
	for _, field := range []string{"AppID", "Secret", "BaseURL", "Timeout"} {
		if !strings.Contains(terr.Error(), field+":") {
			missing = append(missing, "token "+field)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Error(diff)
	}
}
