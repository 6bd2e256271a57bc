package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
)

// gatewayNATS is the gateway's connection, which may come later than the first
// push: until then every publish fails. It is safe for concurrent use.
type gatewayNATS struct {
	mu   sync.RWMutex
	conn *natsconn.Conn
	js   jetstream.JetStream // nil until the streams are there

	later  *config.Config // whose streams are wanted, if not those of the start
	window time.Duration  // the shortest in which a stream knows a repeat by its id
}

// Window is how long a repeat is known by its id; 0 while nobody knows.
func (n *gatewayNATS) Window() time.Duration {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.window
}

// Look is what the spool needs to know of the past.
func (n *gatewayNATS) Look(ctx context.Context, subject string, since time.Time, visit func(id string)) error {
	js := n.ready()
	if js == nil {
		return errNotConnected
	}
	return gateway.Look(ctx, js, subject, since, visit)
}

func (n *gatewayNATS) ready() jetstream.JetStream {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.js
}

var errNotConnected = errors.New("not connected to NATS yet")

// connect waits for the server and makes or checks the streams. A push may wait
// in the spool meanwhile.
func (n *gatewayNATS) connect(ctx context.Context, s natsconn.Settings, cfg *config.Config, log *slog.Logger) error {
	s.Wait = true
	conn, err := natsconn.ConnectPublisher(ctx, s, "wxenrich gateway")
	if err != nil {
		return connectFailed(err)
	}
	n.mu.Lock()
	n.conn = conn
	n.mu.Unlock()
	js, err := conn.JetStream()
	if err != nil {
		return err
	}
	window, err := n.ensure(ctx, js, cfg, log)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.js, n.window = js, window
	later := n.later
	n.mu.Unlock()
	if later != nil { // the accounts have changed meanwhile
		n.follow(ctx, later, log)
	}
	return nil
}

// ensure makes or checks the streams of a configuration, and says for how long a
// repeat is known in all of them.
func (n *gatewayNATS) ensure(ctx context.Context, js jetstream.JetStream, cfg *config.Config, log *slog.Logger) (window time.Duration, err error) {
	for _, spec := range gatewaySpecs(cfg) {
		stream, drifts, err := events.EnsureStream(ctx, js, spec, events.Manage(cfg.Manage))
		if err != nil {
			return 0, n.conn.Explain(absentStream(err, n.conn.ConnectedServerVersion(), cfg, &spec))
		}
		if d := stream.CachedInfo().Config.Duplicates; window == 0 || d < window {
			window = d
		}
		for _, d := range drifts {
			if d.Fatal {
				return 0, usage("%s", d).hint("nats stream edit %s, or set another stream or subject", d.Stream)
			}
			log.Debug("stream differs from the configuration; it is used as it is", slog.String("difference", d.String()))
		}
	}
	return window, nil
}

// follow makes or checks the streams of accounts that have changed, until it has
// or ctx ends, or they have changed again. Until then their pushes fail, and
// WeChat sends them again, or wait in the spool.
func (n *gatewayNATS) follow(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	n.mu.Lock()
	n.later = cfg
	js := n.js
	n.mu.Unlock()
	if js == nil {
		return // connect will see to it
	}
	for said := ""; ; {
		window, err := n.ensure(ctx, js, cfg, log)
		n.mu.Lock()
		over := n.later != cfg
		if err == nil && !over && window > 0 {
			n.window = window
		}
		n.mu.Unlock()
		if err == nil || over || ctx.Err() != nil {
			return
		}
		if said != err.Error() {
			said = err.Error()
			log.Error("a stream of accounts that have changed is not there", slog.Any("error", err))
		}
		select {
		case <-time.After(remakeEvery):
		case <-ctx.Done():
		}
	}
}

// gatewaySpecs are the streams that pushes go to. Each has to take every type:
// an event that has no stream would be sent again for ever by WeChat, which
// then stops pushing for a while.
func gatewaySpecs(cfg *config.Config) []events.StreamSpec {
	var specs []events.StreamSpec
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		if !a.Push.Configured() {
			continue
		}
		every := func(subject string) []string {
			return []string{expandAppID(strings.ReplaceAll(subject, "{type}", "TYPE"), a.AppID)}
		}
		input := streamSpec(a, a.Input.Stream, append(config.List{cfg.Gateway.Subject}, a.Input.Subject...), a.Input.Storage)
		input.Must = every(cfg.Gateway.Subject)
		input.Output = true // its memory of ids makes WeChat's repeats one event
		specs = merge(specs, input)
		if m := cfg.Gateway.Messages; m.Subject != "" {
			messages := streamSpec(a, m.Stream, config.List{m.Subject}, m.Storage)
			messages.Must, messages.Output = every(m.Subject), true
			specs = merge(specs, messages)
		}
	}
	for i := range specs {
		for j, must := range specs[i].Must {
			specs[i].Must[j] = strings.ReplaceAll(must, "TYPE", "*")
		}
	}
	return specs
}

func (n *gatewayNATS) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	js := n.ready()
	if js == nil {
		return nil, errNotConnected
	}
	return js.PublishMsg(ctx, m, opts...)
}

func (n *gatewayNATS) IsConnected() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.js != nil && n.conn.IsConnected()
}

func (n *gatewayNATS) close() {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.conn != nil {
		n.conn.Close()
	}
}
