package wechat

import (
	"context"
	"hash/maphash"
)

// A TokenID tells access tokens apart without showing any: it is a hash with a
// seed of this process's own. 0 stands for no token.
//
// A token belongs to one account for ever, so two calls with one TokenID were
// made for the same account, whatever the token's source has handed out between.
type TokenID uint64

var tokenSeed = maphash.MakeSeed()

type tokenIDKey struct{}

// NoteToken returns a context whose data calls note the token that they send
// in used: it is there when the call has returned. One call at a time.
func NoteToken(ctx context.Context) (noting context.Context, used *TokenID) {
	used = new(TokenID)
	return context.WithValue(ctx, tokenIDKey{}, used), used
}

// NotedToken is what the latest call under a context of [NoteToken] has noted.
func NotedToken(ctx context.Context) TokenID {
	if used, ok := ctx.Value(tokenIDKey{}).(*TokenID); ok {
		return *used
	}
	return 0
}

func noteToken(ctx context.Context, token Secret) {
	if used, ok := ctx.Value(tokenIDKey{}).(*TokenID); ok {
		*used = TokenID(maphash.String(tokenSeed, token.Reveal()))
	}
}
