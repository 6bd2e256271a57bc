// Package pipelinetest runs the whole service inside a test of yours: a NATS
// server in the process, a simulated WeChat, the default streams, and a lane
// between them. Nothing has to be installed.
//
//	func TestMyConsumer(t *testing.T) {
//		s := pipelinetest.Start(t, "wx0123456789abcdef")
//		p, err := events.NewPublisher(s.NATS.JetStream(), events.PublisherConfig{})
//		…
//		_, err = p.Publish(t.Context(), events.Event{AppID: "wx0123456789abcdef", OpenID: s.Account.OpenID(7)})
//		…                       // your consumer reads s.NATS.URL(), stream WX_PROFILES
//	}
//
// The account has a thousand followers; its simulator ([wechattest.Account],
// [wechattest.Server]) lets them go, gives them other rows, and makes WeChat
// fail. Package eventstest has what the server can be made to do.
package pipelinetest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// Service is one that runs until its test ends.
type Service struct {
	NATS    *eventstest.Server
	WeChat  *wechattest.Server
	Account *wechattest.Account
}

// followers is how many an account has.
const followers = 1000

// Start starts the service for an account, and stops it when the test ends. It
// answers each event at once: batches do not wait, retries hardly. edit may
// change the lane's configuration.
func Start(t testing.TB, appid string, edit ...func(*pipeline.Config)) *Service {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("pipelinetest: %v", err)
		}
	}
	const secret = "pipelinetest"
	s := &Service{NATS: eventstest.NewServer(t), WeChat: wechattest.New()}
	s.Account = s.WeChat.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: secret, Followers: followers})
	api := httptest.NewServer(s.WeChat)
	t.Cleanup(api.Close)

	js := s.NATS.JetStream()
	for _, spec := range []events.StreamSpec{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}},
		{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Output: true},
		{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}, Output: true},
	} {
		_, _, err := events.EnsureStream(t.Context(), js, spec, events.Create)
		fatal(err)
	}
	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: secret, BaseURL: api.URL})
	fatal(err)
	client, err := wechat.New(wechat.Config{AppID: appid, Tokens: tokens, BaseURL: api.URL})
	fatal(err)
	out, err := pipeline.NewPublisher(s.NATS.Connect(nats.ReconnectBufSize(-1)))
	fatal(err)

	cfg := pipeline.DefaultConfig(appid)
	cfg.Subjects = []string{"wx.events." + appid + ".>"}
	cfg.Start, err = pipeline.ParseStart("all")
	fatal(err)
	cfg.Window, cfg.RetryInitial, cfg.RetryMax, cfg.Recheck = time.Millisecond, time.Millisecond, 50*time.Millisecond, 0
	for _, e := range edit {
		e(&cfg)
	}
	lane, err := pipeline.NewLane(pipeline.Deps{
		JS: js, Out: out, WeChat: client,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, cfg)
	fatal(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("pipelinetest: %v", err)
		}
	})
	return s
}
