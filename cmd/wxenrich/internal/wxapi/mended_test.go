package wxapi_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A lane rests because of what is in a file, and runs within five seconds after
// somebody has mended it. Nobody asks WeChat again and again meanwhile.
func TestMendedFileEndsTheHold(t *testing.T) {
	for name, c := range map[string]struct {
		token  config.Token
		secret bool // that is what is mended
	}{
		"secret": {config.Token{Source: "stable"}, true},
		"token":  {config.Token{Source: "file"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
				sim := wechattest.New()
				account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
				transport, stop := sim.Serve()
				t.Cleanup(stop)
				a := config.NewAccount(appid)
				a.API, a.Token, a.Token.Path, a.SecretFile = "http://wechat", c.token, path, path
				write(t, path, "wrong")
				client, err := wxapi.New(a, wxapi.Options{Getenv: noEnv, Transport: transport})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				lane := startLane(t, s, client)

				js := s.JetStream()
				if _, err := js.Publish(t.Context(), "wx.events."+appid+".subscribe", []byte(account.OpenID(0))); err != nil {
					t.Fatal(err)
				}
				time.Sleep(4 * time.Hour)
				if lane.State().Phase != pipeline.Held {
					t.Fatalf("state: %+v", lane.State())
				}
				if calls := account.Stats().Calls; calls["stable_token"]+calls["user/info/batchget"] > 4*4+6 {
					t.Errorf("%v calls in four hours", calls)
				}

				if c.secret {
					write(t, path, "right\n")
				} else {
					b := config.NewAccount(appid)
					b.API, b.SecretEnv = a.API, "S"
					source, err := wxapi.Tokens(b, wxapi.Options{Getenv: func(string) string { return "right" }, Transport: transport})
					if err != nil {
						t.Fatal(err)
					}
					token, err := source.Token(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					write(t, path, token.Reveal()+"\n")
				}
				time.Sleep(5 * time.Second)
				if lane.State().Phase != pipeline.Running || lane.Stats().Counts().Records != 1 {
					t.Errorf("five seconds after: %+v, %+v", lane.State(), lane.Stats().Counts())
				}
			})
		})
	}
}

// A good token is refused once, by mistake: the lane goes on with it at once,
// for nobody writes another one.
func TestTokenFileThatWasRefusedByMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		sim := wechattest.New()
		account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
		transport, stop := sim.Serve()
		t.Cleanup(stop)
		a := config.NewAccount(appid)
		a.API, a.SecretEnv = "http://wechat", "S"
		right := wxapi.Options{Getenv: func(string) string { return "right" }, Transport: transport}
		source, err := wxapi.Tokens(a, right)
		if err != nil {
			t.Fatal(err)
		}
		token, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, token.Reveal())
		a.Token = config.Token{Source: "file", Path: path}
		client, err := wxapi.New(a, right)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Times: 1, Do: wechattest.Action{Code: 40001}})
		lane := startLane(t, s, client)
		if _, err := s.JetStream().Publish(t.Context(), "wx.events."+appid+".subscribe", []byte(account.OpenID(0))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if lane.State().Phase != pipeline.Running || lane.Stats().Counts().Records != 1 {
			t.Errorf("three seconds after: %+v, %+v", lane.State(), lane.Stats().Counts())
		}
	})
}

// startLane runs the account's lane until the test ends.
func startLane(t *testing.T, s *eventstest.Server, client *wxapi.API) *pipeline.Lane {
	t.Helper()
	for _, spec := range []events.StreamSpec{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}},
		{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Output: true},
		{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}, Output: true},
	} {
		if _, _, err := events.EnsureStream(t.Context(), s.JetStream(), spec, events.Create); err != nil {
			t.Fatal(err)
		}
	}
	out, err := pipeline.NewPublisher(s.Connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		t.Fatal(err)
	}
	cfg := pipeline.DefaultConfig(appid)
	cfg.Start, _ = pipeline.ParseStart("all")
	lane, err := pipeline.NewLane(pipeline.Deps{
		JS: s.JetStream(), Out: out, WeChat: client, Renewed: client.Renewed, TokenHint: client.TokenHint,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return lane
}
