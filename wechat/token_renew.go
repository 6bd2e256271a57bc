package wechat

import (
	"context"
	"time"
)

// Renew asks the source for a token although the one in hand may be valid, and
// takes over what it gives. It reports whether that is another one than the one
// that was in hand or refused, or one where the last fetch had failed. The
// source is told of no refusal, so that one that keeps tokens gives what it has.
//
// It is for a [NewTokens] source that gives the same token until there is
// another, never for one that ends the token before. A failure harms no token in
// hand. Renew keeps to the cap and waits for a fetch that is under way. It is
// safe for concurrent use.
func (t *Tokens) Renew(ctx context.Context) (renewed bool, err error) {
	select {
	case t.slot <- struct{}{}:
	case <-ctx.Done():
		return false, t.gaveUp(ctx)
	}
	defer func() { <-t.slot }()
	if _, err := t.permit(time.Time{}); err != nil {
		return false, err
	}
	t.mu.Lock()
	w := Wanted{Secret: t.secret}
	t.mu.Unlock()
	token, err := t.source(ctx, w)
	t.mu.Lock()
	before, rejected, failed := t.current.Value, t.rejected, t.failure != nil
	if err != nil && before == "" {
		t.failure = err
	}
	t.mu.Unlock()
	if err != nil || token.Value == rejected {
		return false, err
	}
	t.keep(token)
	return token.Value != before && (before != "" || rejected != "" || failed), nil
}
