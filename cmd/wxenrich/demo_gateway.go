package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// demoGateway is the server address of the demo's account, and the simulated
// WeChat's pushes to it.
type demoGateway struct {
	url    string
	pusher *wechattest.Pusher
	http   *http.Server
	done   chan error
}

func (w *demoWorld) startGateway(conn *natsconn.Conn, log *slog.Logger) (*demoGateway, error) {
	js, err := conn.JetStream()
	if err != nil {
		return nil, err
	}
	key, err := push.ParseKey(wechat.Secret(simulatedPushKey))
	if err != nil {
		return nil, err
	}
	receiver, err := push.NewReceiver(push.Config{AppID: demoAppID, Token: simulatedPushToken, Keys: []push.Key{key}, EncryptedOnly: true})
	if err != nil {
		return nil, err
	}
	subject, err := events.ParseTemplate("wx.events.{appid}.{type}", "appid", "type")
	if err != nil {
		return nil, err
	}
	h, err := gateway.New(gateway.Config{
		Accounts: []gateway.Account{{Receiver: receiver, Events: subject}}, Path: "/wechat",
		JS: &gatewayNATS{conn: conn, js: js}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &demoGateway{url: "http://" + l.Addr().String() + "/wechat", http: &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}, done: make(chan error, 1)}
	go func() { g.done <- g.http.Serve(l) }()
	g.pusher, err = w.account.NewPusher(wechattest.PushConfig{URL: g.url, Token: simulatedPushToken, AESKey: wechat.Secret(simulatedPushKey)})
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// pushed makes an event one that WeChat pushes, if it is in WeChat's own form:
// its id then is the gateway's.
func pushed(e *traffic.Event) bool {
	if !bytes.HasPrefix(e.Msg.Data, []byte("<xml>")) {
		return false
	}
	id, err := push.ID(demoAppID, e.Msg.Data)
	if err != nil {
		return false
	}
	e.ID = id
	return true
}

// send pushes an event as WeChat does.
func (g *demoGateway) send(ctx context.Context, e traffic.Event) error {
	_, err := g.pusher.Send(ctx, e.Msg.Data)
	return err
}

// close ends the listener; all pushes have been answered by then.
func (g *demoGateway) close() {
	_ = g.http.Close()
	if err := <-g.done; !errors.Is(err, http.ErrServerClosed) {
		slog.Warn("the gateway ended early", "error", err)
	}
}
