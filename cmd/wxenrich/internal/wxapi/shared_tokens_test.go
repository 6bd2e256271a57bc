package wxapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// bucket is a process's own view of one bucket.
func bucket(t *testing.T, js jetstream.JetStream) jetstream.KeyValue {
	t.Helper()
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "STATE"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// process is one replica's end.
func process(t *testing.T, a *config.Account, s *eventstest.Server, o wxapi.Options) wechat.TokenSource {
	t.Helper()
	if o.State == nil {
		o.State = bucket(t, s.JetStream())
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "right" }
	}
	return tokens(t, a, o)
}

func take(t *testing.T, source wechat.TokenSource) wechat.Secret {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil {
		t.Error(err)
	}
	return token
}

// Three processes, 64 calls each, and a token that is killed: each time one
// fetch for all of them.
func TestProcessesShareOneToken(t *testing.T) {
	t.Parallel()
	for source, c := range map[string]struct{ endpoint, share string }{
		"classic": {"token", "auto"},
		"stable":  {"stable_token", "true"},
	} {
		account, a := simulator(t)
		a.SecretEnv, a.Token.Source, a.Token.Share = "S", source, c.share
		s := eventstest.NewServer(t)
		var processes []wechat.TokenSource
		for range 3 {
			processes = append(processes, process(t, a, s, wxapi.Options{}))
		}
		var mu sync.Mutex
		var last wechat.Secret
		for round := range 4 {
			var wg sync.WaitGroup
			got := map[wechat.Secret]bool{}
			for _, p := range processes {
				for range 64 {
					wg.Go(func() {
						if last != "" {
							p.Reject(last)
						}
						token := take(t, p)
						mu.Lock()
						defer mu.Unlock()
						got[token] = true
					})
				}
			}
			wg.Wait()
			if n := account.Stats().Calls[c.endpoint]; n != round+1 || len(got) != 1 || got[last] {
				t.Fatalf("%s: %d fetches and %d tokens in round %d", source, n, len(got), round)
			}
			for last = range got {
			}
			account.KillTokens()
		}
		raw, err := bucket(t, s.JetStream()).Get(t.Context(), "token."+appid)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw.Value(), []byte(last.Reveal()[:40])) || bytes.Contains(raw.Value(), []byte("right")) {
			t.Errorf("the bucket holds a secret in clear: %s", raw.Value())
		}
	}
}

func TestStableTokensAreNotSharedUnlessAsked(t *testing.T) {
	t.Parallel()
	_, a := simulator(t)
	a.SecretEnv = "S"
	s := eventstest.NewServer(t)
	take(t, process(t, a, s, wxapi.Options{}))
	a.Token.Source, a.Token.Share = "classic", "false"
	take(t, process(t, a, s, wxapi.Options{}))
	if _, err := bucket(t, s.JetStream()).Get(t.Context(), "token."+appid); err == nil {
		t.Error("the bucket has a token")
	}
}

// Whoever has the old secret neither takes over the new one's token nor spoils
// it, and whoever has the new one does not stumble over what the old one left.
func TestSharedTokenAfterTheSecretChanged(t *testing.T) {
	t.Parallel()
	account, a := simulator(t)
	a.SecretEnv, a.Token.Source = "S", "classic"
	s := eventstest.NewServer(t)
	with := func(secret string) wechat.TokenSource {
		return process(t, a, s, wxapi.Options{Getenv: func(string) string { return secret }})
	}
	old := with("right")
	first := take(t, old)
	account.SetSecret("new")
	account.KillTokens()
	second := take(t, with("new"))
	old.Reject(first)
	if _, err := old.Token(t.Context()); wechat.ClassOf(err) != wechat.Operator {
		t.Errorf("with the old secret: %v", err)
	}
	if third := take(t, with("new")); third != second || second == first {
		t.Error("the new secret's token is not shared")
	}
}

// A bucket that is out of reach is said once, costs nobody a token that is
// still good, and is not needed for a new one.
func TestSharedTokenWithoutNATS(t *testing.T) {
	t.Parallel()
	_, a := simulator(t)
	a.SecretEnv, a.Token.Source = "S", "classic"
	s := eventstest.NewServer(t)
	nc := s.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	p := process(t, a, s, wxapi.Options{State: bucket(t, js), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	first := take(t, p)
	s.Stop()
	if take(t, p) != first {
		t.Error("another token, although the first is good")
	}
	p.Reject(first)
	second := take(t, p)
	p.Reject(second)
	third := take(t, p)
	if second == first || third == second {
		t.Error("a refused token came back")
	}
	s.Start()
	for deadline := time.Now().Add(2 * time.Minute); !nc.IsConnected() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	p.Reject(third)
	if fourth := take(t, p); fourth == third || fourth != take(t, process(t, a, s, wxapi.Options{})) {
		t.Error("the bucket is back and the token is not shared")
	}
	if !strings.Contains(log.String(), "is back") {
		t.Errorf("nothing says that the bucket is back:\n%s", log.String())
	}
	if n := strings.Count(log.String(), "out of reach"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	for _, token := range []wechat.Secret{first, second, third, "right"} {
		if strings.Contains(log.String(), token.Reveal()) {
			t.Errorf("a secret is logged:\n%s", log.String())
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// inBubble calls f with a simulator and a NATS server under a fake clock.
func inBubble(t *testing.T, f func(t *testing.T, s *eventstest.Server, sim *wechattest.Server, account *wechattest.Account, a *config.Account, rt http.RoundTripper)) {
	t.Helper()
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		sim := wechattest.New()
		account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
		rt, stop := sim.Serve()
		t.Cleanup(stop)
		a := config.NewAccount(appid)
		a.API, a.SecretEnv, a.Token.Source = "http://sim", "S", "classic"
		f(t, s, sim, account, a, rt)
	})
}

// A process that dies while it fetches blocks the others for one lease.
func TestLockOfTheDead(t *testing.T) {
	inBubble(t, func(t *testing.T, s *eventstest.Server, sim *wechattest.Server, account *wechattest.Account, a *config.Account, rt http.RoundTripper) {
		sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "token"}, Times: 1, Do: wechattest.Action{Hang: true}})
		nc := s.Connect()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		dying := process(t, a, s, wxapi.Options{State: bucket(t, js), Transport: rt})
		ctx, cut := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := dying.Token(ctx); err == nil {
				t.Error("the dead has got a token")
			}
		})
		time.Sleep(time.Second) // it has the lock now, and waits for WeChat
		nc.Close()
		start := time.Now()
		others := []wechat.TokenSource{process(t, a, s, wxapi.Options{Transport: rt}), process(t, a, s, wxapi.Options{Transport: rt})}
		var got [2]wechat.Secret
		var both sync.WaitGroup
		for i, p := range others {
			both.Go(func() { got[i] = take(t, p) })
		}
		both.Wait()
		if waited := time.Since(start); waited < 13*time.Second || waited > 16*time.Second {
			t.Errorf("waited %v, want about the rest of a lease of 15s", waited)
		}
		if got[0] != got[1] {
			t.Error("two tokens")
		}
		cut()
		wg.Wait()
		if n := account.Stats().Calls["token"]; n != 2 {
			t.Errorf("%d fetches, want the one that hung and one more", n)
		}
	})
}

// One process renews ahead of the end, and the others take over.
func TestSharedTokenIsRenewedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *eventstest.Server, _ *wechattest.Server, account *wechattest.Account, a *config.Account, rt http.RoundTripper) {
		processes := []wechat.TokenSource{process(t, a, s, wxapi.Options{Transport: rt}), process(t, a, s, wxapi.Options{Transport: rt}), process(t, a, s, wxapi.Options{Transport: rt})}
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(10 * time.Second) {
			for _, p := range processes {
				take(t, p)
			}
		}
		// 7200 s, and renewed 300 s ahead.
		if n, want := account.Stats().Calls["token"], 24*3600/6900+1; n != want {
			t.Errorf("%d fetches in a day, want %d", n, want)
		}
	})
}

// The cap is one for all processes: whatever they do, the day's 2,000 fetches
// are not used up.
func TestSharedCap(t *testing.T) {
	inBubble(t, func(t *testing.T, s *eventstest.Server, _ *wechattest.Server, account *wechattest.Account, a *config.Account, rt http.RoundTripper) {
		var processes []wechat.TokenSource
		for range 3 {
			processes = append(processes, process(t, a, s, wxapi.Options{Transport: rt}))
		}
		const hours = 4
		for end := time.Now().Add(hours * time.Hour); time.Now().Before(end); time.Sleep(17 * time.Second) {
			for _, p := range processes {
				if token, err := p.Token(t.Context()); err == nil {
					p.Reject(token)
				}
			}
		}
		if n := account.Stats().Calls["token"]; n > hours*60+6 || n < hours*60/2 {
			t.Errorf("%d fetches in %d hours of rejections, want about one a minute", n, hours)
		}
	})
}
