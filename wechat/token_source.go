package wechat

import (
	"context"
	"errors"
	"time"
)

// Wanted says what a token is fetched for.
type Wanted struct {
	Secret   Secret // the app secret in use; empty for a source that needs none
	Rejected Secret // the token whose refusal caused the fetch; empty when it was none
	Current  Token  // the token in hand, when another is fetched ahead of its end; else zero
}

// Source fetches a token from where it is issued, in one attempt. A failure is
// an *[Error]. [Tokens] calls it once at a time.
type Source func(ctx context.Context, w Wanted) (Token, error)

// Issue is a [Source] under the cap of [Tokens]. spent is how far all processes
// together have used the cap up, as far as the caller knows, else zero; it is
// returned with what this fetch has used. Beyond the cap Issue fails without a
// call.
type Issue func(ctx context.Context, spent time.Time) (Token, time.Time, error)

// Share gets a token that several processes of an account have in common: one
// that is already there, if it is valid, not w.Rejected and outlives w.Current,
// else one from issue. [Tokens] calls it once at a time.
type Share func(ctx context.Context, w Wanted, issue Issue) (Token, error)

// NewTokens returns tokens from a source of the caller's own, with all that
// [Tokens] does for those of WeChat's: one fetch at a time, renewal ahead of the
// end, a cap of one fetch in 5 s after a burst of 5. op names the source in errors.
func NewTokens(op string, source Source) *Tokens {
	return &Tokens{
		op: op, source: source,
		slot:   make(chan struct{}, 1),
		budget: budget{spacing: stableSpacing, burst: fetchBurst},
	}
}

// endpoint is one of WeChat's two.
type endpoint struct {
	request func(Secret) call
	wire    wire
}

func (e *endpoint) fetch(ctx context.Context, w Wanted) (Token, error) {
	req := e.request(w.Secret)
	req.kind, req.hide = Login, secrets{w.Secret.Reveal()}
	var token Token
	var seconds int64
	sent := time.Now() // a token's life is counted from before the request, never too long
	if _, err := e.wire.do(ctx, req, tokenFields(&token.Value, &seconds)); err != nil {
		return Token{}, err
	}
	if token.Value == "" || seconds <= 0 {
		return Token{}, &Error{Op: req.op, Class: Transient, Status: 200, Err: errors.New("no access_token or no expires_in in the answer")}
	}
	token.Expires = sent.Add(time.Duration(min(seconds, 1<<31)) * time.Second)
	return token, nil
}

// tokenFields reads the answer of both endpoints.
func tokenFields(value *Secret, seconds *int64) func(string, *cursor) {
	return func(key string, c *cursor) {
		switch key {
		case "access_token":
			*value = Secret(text(c.raw()))
		case "expires_in":
			*seconds = integer(c.raw())
		}
	}
}
