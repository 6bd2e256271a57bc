package wechat

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// refreshAhead is how long before its end a token is fetched anew. For
	// about five minutes old and new are both valid, so nobody has to wait.
	refreshAhead = 5 * time.Minute
	// refreshRetry spaces early refreshes: stable_token goes on handing out the
	// old token until the platform rotates it.
	refreshRetry = 30 * time.Second
)

// Token is an access token and its end.
type Token struct {
	Value   Secret
	Expires time.Time
	Renew   time.Time // when to fetch another although it is valid; zero for five minutes before Expires
}

// Tokens fetches an account's access token, keeps it, and fetches it anew five
// minutes before its end or when a call has been refused with it. However many
// calls need a token, one fetch is under way at most, and whoever waits for it
// shares its failure. Fetches are capped locally; beyond the cap Token fails
// without a call, with Error.After set.
type Tokens struct {
	op     string
	source Source
	share  Share         // nil when the token is this process's alone
	slot   chan struct{} // holds a value while a fetch is under way; not a mutex, so that waiting ends with the context

	mu        sync.Mutex // never held during I/O
	secret    Secret
	current   Token     // zero when there is none
	refreshAt time.Time // when to fetch although current is valid
	rejected  Secret    // the token that Reject dropped, until another one is there
	again     time.Time // until then a rejected token that came back is kept
	fetches   int       // ended fetches, by which a waiter knows that it shares one
	failure   error     // of the last fetch; nil after a success
	budget    budget
}

// Token returns the current token or fetches one.
func (t *Tokens) Token(ctx context.Context) (Secret, error) {
	token, valid, fetches := t.look(time.Now())
	if valid && token != "" {
		return token, nil
	}
	if token != "" { // valid still, but due: one goroutine fetches, the others go on with it
		select {
		case t.slot <- struct{}{}:
		default:
			return token, nil
		}
	} else {
		select {
		case t.slot <- struct{}{}:
		case <-ctx.Done():
			return "", t.gaveUp(ctx)
		}
	}
	defer func() { <-t.slot }()
	return t.fetch(ctx, fetches)
}

// Reject forgets the token if it is the current one. In its normal mode
// stable_token may answer the next fetch with the very same token: then nothing
// but time helps, so that one is kept for a while and callers back off.
func (t *Tokens) Reject(token Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token == "" || token != t.current.Value || time.Now().Before(t.again) {
		return
	}
	t.current, t.rejected = Token{}, token
}

// Current returns the token in hand, zero when there is none. It never fetches.
func (t *Tokens) Current() Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// SetSecret replaces the app secret. The next fetch uses it and is free of the
// cap, which the old secret may have used up.
func (t *Tokens) SetSecret(secret Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secret, t.failure, t.budget.spent = secret, nil, time.Time{}
}

// Format prints no field: fmt would print the secrets among them.
func (t *Tokens) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "wechat.Tokens(%s)", t.op) }

// look returns the token that may be used now, and whether it needs no fetch.
func (t *Tokens) look(now time.Time) (token Secret, fresh bool, fetches int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !now.Before(t.current.Expires) {
		t.current = Token{}
	}
	return t.current.Value, now.Before(t.refreshAt), t.fetches
}
