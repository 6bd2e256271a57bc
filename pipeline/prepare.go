package pipeline

import (
	"context"
	"sync"

	"github.com/wxenrich/wxenrich/wechat"
)

// preparing is the loop's part in getting the account ready.
type preparing struct {
	preparing bool
	prepared  chan *wechat.Error // why the account cannot be asked anything; nil: it can
}

// beginPreparing gets the account ready for its first call, until end is called,
// which waits for that.
func (l *Lane) beginPreparing(ctx context.Context) (p preparing, end func()) {
	if l.obtain == nil {
		return p, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	p = preparing{true, make(chan *wechat.Error, 1)}
	var work sync.WaitGroup
	work.Go(func() { p.prepared <- l.getReady(ctx) })
	return p, func() { cancel(); work.Wait() }
}

// getReady returns nil when the account is ready or ctx has ended, or else what a
// person has to mend: that shows at the start then, and not with the first event at
// night. What passes is waited for.
func (l *Lane) getReady(ctx context.Context) *wechat.Error {
	wait := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand)
	for unknown := 0; ; {
		err := l.obtain(ctx)
		if err == nil {
			l.state.heard()
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		e := failure(err)
		switch {
		case e == nil, e.Class == wechat.MinuteLimit:
		case e.Class == wechat.Transient:
			wait.wish = e.After
		case e.Class == wechat.Unknown && unknown < unknownLimit:
			unknown++
		default:
			return e
		}
		l.state.unheard(err)
		if !sleep(ctx, wait.NextBackOff()) {
			return nil
		}
	}
}

// readied takes what became of it. Where only a token was missing, one that has come
// means that somebody has mended what was wrong before this lane began.
func (l *loop) readied(e *wechat.Error) {
	l.preparing.preparing = false
	switch {
	case l.stopping():
	case e != nil && l.held == nil:
		l.hold(l.holdFor(e))
		l.rest()
	case e == nil && l.held != nil && l.held.Token && l.held.Prober == "" && !l.announcing && !l.probing:
		l.log.Info("the account has a token")
		l.try()
	}
}
