package wxapi

import (
	"context"
	"sync/atomic"

	"github.com/wxenrich/wxenrich/wechat"
)

// heedfulTokens remember how the latest attempt to get a token went: of an account
// that nobody asks anything for, nothing else tells.
type heedfulTokens struct {
	wechat.TokenSource
	failing atomic.Bool
}

func (t *heedfulTokens) Token(ctx context.Context) (wechat.Secret, error) {
	token, err := t.TokenSource.Token(ctx)
	t.heed(ctx, err)
	return token, err
}

// heed notes what came of an attempt. One that its caller has ended says nothing.
func (t *heedfulTokens) heed(ctx context.Context, err error) {
	if err == nil || ctx.Err() == nil {
		t.failing.Store(err != nil)
	}
}
