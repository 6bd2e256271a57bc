package pipeline

import (
	"context"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// whose finds out, beside the lane, what more can be said of an account of which
// nobody has worked: it asks WeChat for somebody who follows the account of the
// token. That cannot tell bad openids from a wrong account, since with the token
// of another account it names that one's people. But it tells both from a
// service that refuses all. So nothing is concluded from it but words, and it
// counts as nobody's proof.
type whose struct {
	cancel context.CancelFunc
	done   chan struct{}

	detail, hint string // these when done is closed
}

func (l *Lane) whose(c contexts) *whose {
	ctx, cancel := context.WithCancel(c.abort)
	w := &whose{cancel: cancel, done: make(chan struct{}), detail: detailNobodyWorked, hint: hintNobodyWorked}
	c.abort = ctx
	go func() {
		defer close(w.done)
		page, err := l.wechat.Followers(ctx, "") // which has a quota of its own
		if err != nil || len(page.OpenIDs) == 0 || ctx.Err() != nil {
			return
		}
		err = l.send(c, 1, func(ctx context.Context, _ time.Time) error {
			_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: page.OpenIDs[0], Lang: l.cfg.Lang}})
			return err
		})
		switch {
		case err == nil:
			w.detail, w.hint = detailNobodyWorked+", but a follower of the token's account is answered", hintOthersWork
		case refused(err):
			w.detail, w.hint = "every openid is refused, even of somebody whom user/get lists as a follower", hintNobodyAtAll
		}
	}()
	return w
}

// end makes an end of it: nobody wants to know any more.
func (w *whose) end() {
	w.cancel()
	<-w.done
}

// foreign is the hold of an account of which nobody has worked, for a refusal.
func (l *Lane) foreign(refusal error, w *whose) *Hold {
	h := l.holdFor(failure(refusal))
	<-w.done
	h.Detail, h.Hint = w.detail, w.hint
	return h
}
