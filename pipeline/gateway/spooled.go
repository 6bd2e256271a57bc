package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
)

// entry is a push in the spool.
type entry struct {
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header"`
	Data    []byte      `json:"data"`
	// Tried says that a publish got no answer: it may be stored already.
	Tried bool `json:"tried,omitempty"`
}

func (e *entry) msg() *nats.Msg { return &nats.Msg{Subject: e.Subject, Header: e.Header, Data: e.Data} }

// appid is the first part of the push's id.
func (e *entry) appid() string {
	appid, _, _ := strings.Cut(carrier(e.Header).Get(events.HeaderMsgID), "|")
	return appid
}

// patience is the part of a push's time that its stream has before it goes to
// the spool: the sync of a slow disk has to fit into the rest.
const patience = 3

// publishOrSpool stores a push here or there until ctx ends.
func (g *Gateway) publishOrSpool(ctx context.Context, msg *nats.Msg) (outcome, error) {
	tried := false
	if g.cfg.Spool.Len() == 0 && g.cfg.JS.IsConnected() {
		first, cancel := context.WithTimeout(ctx, g.cfg.Timeout/patience)
		o, err := g.publish(first, msg)
		cancel()
		if err == nil {
			return o, nil
		}
		tried = true
	}
	data, err := json.Marshal(entry{msg.Subject, msg.Header, msg.Data, tried})
	if err != nil {
		return failed, fmt.Errorf("spool: %w", err)
	}
	switch err := g.cfg.Spool.Append(spool.Record{At: time.Now(), Data: data}); {
	case err == nil:
		if tried || g.cfg.Spool.Len() == 1 {
			g.quiet.do("spool", func() { g.cfg.Log.Warn("pushes go to the spool: their stream does not take them") })
		}
		return spooled, nil
	default:
		g.quiet.do("spool failed", func() { g.cfg.Log.Error("the spool takes no push", "error", err) })
		// Better out of order than not at all.
		o, perr := g.publish(ctx, msg)
		if perr != nil {
			perr = errors.Join(perr, err)
		}
		return o, perr
	}
}

// Ready says why pushes cannot be taken now, nil when they can.
func (g *Gateway) Ready() error {
	if g.cfg.JS.IsConnected() {
		return nil
	}
	if g.cfg.Spool == nil {
		return errors.New("no connection to NATS")
	}
	if g.cfg.Spool.Stats().Full {
		return errors.New("no connection to NATS, and the spool is full")
	}
	return nil
}
