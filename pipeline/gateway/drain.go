package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
)

// Run stores what is in the spool, in order, until ctx ends.
func (g *Gateway) Run(ctx context.Context) {
	if g.cfg.Spool == nil {
		<-ctx.Done()
		return
	}
	if n := g.cfg.Spool.Stats().Damaged; n > 0 {
		g.cfg.Log.Error("a part of the spool cannot be read: pushes that WeChat was promised are lost unless somebody mends the file, which stays as .damaged", "bytes", n)
	}
	// The last process may have ended between a publish and noting it.
	d := drain{g: g, resumed: true}
	for ctx.Err() == nil {
		r, err := g.cfg.Spool.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, spool.ErrClosed):
			return
		case err != nil:
			g.cfg.Log.Error("a part of the spool cannot be read", "error", err)
			rest(ctx, longestPause)
		default:
			d.one(ctx, r)
		}
	}
}

// drain is what storing the spool's pushes has to remember.
type drain struct {
	g       *Gateway
	resumed bool // since the start no push was found to be missing
	unsure  bool // the oldest push was published, and there was no answer
	past    map[string]*past
	wait    time.Duration // before the next attempt
	n       int           // pushes stored since the spool was last empty
}

// longestPause is between two attempts to store a push of the spool.
const longestPause = time.Second

// one makes one attempt at the oldest push. Without an answer it is not done
// with, and Next gives it again.
func (d *drain) one(ctx context.Context, r spool.Record) {
	var e entry
	if err := json.Unmarshal(r.Data, &e); err != nil {
		d.putAside("", err)
		return
	}
	known, err := d.known(ctx, &e, r.At)
	if err != nil {
		d.rest(ctx, err)
		return
	}
	o := duplicate
	if !known {
		ack, err := d.g.attempt(ctx, e.msg())
		switch {
		case permanent(err):
			d.putAside(e.appid(), err)
			return
		case err != nil:
			d.unsure, d.past = true, nil // it may be stored since they were read
			d.rest(ctx, err)
			return
		case !ack.Duplicate:
			o, d.resumed = stored, false
		}
	}
	d.done(e.appid(), o)
}

func (d *drain) done(appid string, o outcome) {
	s := d.g.cfg.Spool
	if err := s.Done(); err != nil {
		d.g.cfg.Log.Error("the spool cannot note what is stored; it may be stored twice", "error", err)
	}
	d.g.metrics.drain(appid, o)
	d.n++
	d.unsure, d.wait = false, 0
	if s.Len() == 0 {
		d.g.cfg.Log.Info("the spool is empty again", "pushes", d.n)
		d.n, d.past = 0, nil
	}
}

// putAside keeps a push that would block all behind it for a person.
func (d *drain) putAside(appid string, why error) {
	path, err := d.g.cfg.Spool.Aside()
	d.g.cfg.Log.Error("a push is put aside: no stream takes it", "file", path, "why", why, "error", err)
	d.g.metrics.drain(appid, aside)
	d.unsure, d.wait = false, 0
}

// rest waits a little longer each time.
func (d *drain) rest(ctx context.Context, why error) {
	d.g.quiet.do("drain", func() { d.g.cfg.Log.Info("the spool waits for its stream", "error", why) })
	d.wait = min(max(2*d.wait, pause), longestPause)
	rest(ctx, d.wait)
}

// tooBig is JetStream's code for a message over the stream's max_msg_size.
const tooBig jetstream.ErrorCode = 10054

// permanent reports whether a message will never be taken.
func permanent(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode == tooBig
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject)
}

// rest waits for so long, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
