package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/embedded"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// The demo's account.
const (
	demoAppID  = "wxdemo0123456789"
	demoSecret = "a-secret-that-is-none"
	demoPeople = 20_000
)

// demoWorld is what surrounds the service in a demo: a NATS server in a
// temporary folder and a WeChat that answers as slowly as the real one.
type demoWorld struct {
	cfg     *config.Config
	dir     string
	nats    *embedded.Server
	wechat  *http.Server
	api     string
	account *wechattest.Account
	onCall  func(wechat.CallInfo)
	tracer  trace.TracerProvider
	done    chan error
}

func newDemoWorld(f demoFlags) (*demoWorld, error) {
	w := &demoWorld{done: make(chan error, 1)}
	if err := w.start(f); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *demoWorld) start(f demoFlags) (err error) {
	if w.dir, err = os.MkdirTemp("", "wxenrich-demo-"); err != nil {
		return err
	}
	if w.nats, err = demoNATS(f.listen, w.dir); err != nil {
		return err
	}
	if err := w.startWeChat(); err != nil {
		return err
	}
	account := config.NewAccount(demoAppID)
	account.API = w.api
	// One openid in 200 is refused, so that 1,000 events take some 45 calls of
	// 70 ms: below one call in flight for 345 events a second they would pile up.
	account.Concurrency = max(account.Concurrency, int(f.rate/200))
	w.cfg = config.Default()
	w.cfg.Accounts = []config.Account{*account}
	w.cfg.Input.Start = "all"
	w.cfg.Outputs[0].Format = f.format
	w.cfg.HTTP.Listen = ""
	w.cfg.Accounts[0].Input = w.cfg.Input
	w.cfg.Accounts[0].Input.Subject = config.List{"wx.events.{appid}.subscribe", "wx.events.{appid}.unsubscribe"}
	return nil
}

// demoNATS listens where a client looks first, so that a second terminal needs
// no flag; if that is taken, anywhere.
func demoNATS(listen, dir string) (*embedded.Server, error) {
	if listen != "" {
		server, err := embedded.Start(embedded.Options{StoreDir: dir, Listen: listen})
		if err != nil {
			return nil, failed("%w", err).hint("choose another address with --listen")
		}
		return server, nil
	}
	const usual = "127.0.0.1:4222"
	if server, err := embedded.Start(embedded.Options{StoreDir: dir, Listen: usual}); err == nil {
		return server, nil
	}
	return embedded.Start(embedded.Options{StoreDir: dir, Listen: "127.0.0.1:0"})
}

func (w *demoWorld) startWeChat() error {
	sim := wechattest.New(wechattest.WithLatency(wechattest.LogNormal(60*time.Millisecond, 150*time.Millisecond)))
	w.account = sim.AddAccount(wechattest.AccountConfig{AppID: demoAppID, Secret: demoSecret, Followers: demoPeople})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.api = "http://" + l.Addr().String()
	w.wechat = &http.Server{Handler: sim, ReadHeaderTimeout: 5 * time.Second}
	go func() { w.done <- w.wechat.Serve(l) }()
	return nil
}

// client is the client of the demo's account.
func (w *demoWorld) client(a *config.Account, _ jetstream.KeyValue) (*wxapi.API, error) {
	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: a.AppID, Secret: demoSecret, BaseURL: w.api, OnCall: w.onCall, TracerProvider: w.tracer})
	if err != nil {
		return nil, err
	}
	client, err := wechat.New(wechat.Config{AppID: a.AppID, BaseURL: w.api, Tokens: tokens, OnCall: w.onCall, TracerProvider: w.tracer})
	return &wxapi.API{Client: client}, err
}

// close ends everything and removes the folder.
func (w *demoWorld) close() {
	if w.wechat != nil {
		_ = w.wechat.Close() // nobody calls any more
		if err := <-w.done; !errors.Is(err, http.ErrServerClosed) {
			slog.Warn("the simulated WeChat ended early", "error", err)
		}
	}
	if w.nats != nil {
		w.nats.Stop()
	}
	_ = os.RemoveAll(w.dir)
}
