package wechat

import (
	"context"
	"errors"
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
	// fetchBurst and the spacings cap the fetches of one process. They are
	// there for the bug or the rejection loop nobody thought of: such loops
	// have used up quotas of 2,000 fetches a day. One a minute is 1,440 a day.
	fetchBurst     = 5
	classicSpacing = time.Minute
	// stableSpacing serves a quota of 500,000 a day, so it may be shorter and
	// an outage be over sooner.
	stableSpacing = 5 * time.Second
)

// Token is an access token and its end.
type Token struct {
	Value   Secret
	Expires time.Time
}

// Tokens fetches an account's access token, keeps it, and fetches it anew five
// minutes before its end or when a call has been refused with it. However many
// calls need a token, one fetch is under way at most, and whoever waits for it
// shares its failure. Fetches are capped locally; beyond the cap Token fails
// without a call, with Error.After set.
type Tokens struct {
	request func(Secret) call
	wire    wire
	slot    chan struct{} // holds a value while a fetch is under way; not a mutex, so that waiting ends with the context

	mu        sync.Mutex // never held during I/O
	secret    Secret
	current   Token     // zero when there is none
	refreshAt time.Time // when to fetch although current is valid
	rejected  Secret    // the last token that Reject dropped
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
func (t *Tokens) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "wechat.Tokens(%s)", t.request("").op) }

// look returns the token that may be used now, and whether it needs no fetch.
func (t *Tokens) look(now time.Time) (token Secret, fresh bool, fetches int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !now.Before(t.current.Expires) {
		t.current = Token{}
	}
	return t.current.Value, now.Before(t.refreshAt), t.fetches
}

// fetch is called by the holder of the slot, which knew of so many fetches when
// it began to wait.
func (t *Tokens) fetch(ctx context.Context, known int) (Secret, error) {
	old, fresh, fetches := t.look(time.Now())
	if old != "" && fresh {
		return old, nil
	}
	t.mu.Lock()
	secret, failure := t.secret, t.failure
	var err error
	if fetches != known && failure != nil {
		err = failure // it ended while we waited for it
	} else if wait := t.budget.take(time.Now()); wait > 0 {
		err = t.heldBack(wait)
	}
	t.mu.Unlock()
	if err == nil {
		var token Token
		if token, err = t.call(ctx, secret, old != ""); err == nil {
			return t.keep(token), nil
		}
	}
	return t.failed(ctx, err, old)
}

// call makes the request. An early refresh may not hold up its caller for long.
func (t *Tokens) call(ctx context.Context, secret Secret, early bool) (Token, error) {
	if early {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, refreshRetry/10)
		defer cancel()
	}
	req := t.request(secret)
	req.kind, req.hide = Login, secrets{secret.Reveal()}
	var token Token
	var seconds int64
	sent := time.Now() // a token's life is counted from before the request, never too long
	if _, err := t.wire.do(ctx, req, tokenFields(&token.Value, &seconds)); err != nil {
		return Token{}, err
	}
	if token.Value == "" || seconds <= 0 {
		return Token{}, &Error{Op: req.op, Class: Transient, Status: 200, Err: errors.New("no access_token or no expires_in in the answer")}
	}
	token.Expires = sent.Add(time.Duration(min(seconds, 1<<31)) * time.Second)
	return token, nil
}

func (t *Tokens) keep(token Token) Secret {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetches++
	t.failure = nil
	t.current = token
	t.refreshAt = token.Expires.Add(-refreshAhead)
	if soon := now.Add(refreshRetry); t.refreshAt.Before(soon) {
		t.refreshAt = soon
	}
	if token.Value == t.rejected {
		t.again = now.Add(refreshRetry)
	}
	return token.Value
}

// failed ends a fetch that brought nothing: no harm while the old token is
// valid.
func (t *Tokens) failed(ctx context.Context, err error, old Secret) (Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() == nil { // else the failure was this caller's own and says nothing to the others
		t.fetches++
		t.failure = err
	}
	if old == "" {
		return "", err
	}
	t.refreshAt = time.Now().Add(refreshRetry)
	return old, nil
}

// heldBack is the answer beyond the cap. Nothing new is known, so a refusal
// that a person has to mend stays one.
func (t *Tokens) heldBack(wait time.Duration) error {
	e := &Error{Op: t.request("").op, Class: Transient, After: wait, Err: errors.New("fetched too often, held back locally")}
	if last, ok := errors.AsType[*Error](t.failure); ok && last.Class == Operator {
		e.Class, e.Code, e.Message, e.RID = last.Class, last.Code, last.Message, last.RID
		e.After = max(wait, last.After)
	}
	return e
}

func (t *Tokens) gaveUp(ctx context.Context) error {
	return &Error{Op: t.request("").op, Class: Transient, Err: fmt.Errorf("wait for a token: %w", secrets{}.cause(ctx, context.Cause(ctx)))}
}

// budget is a token bucket kept as one time, that of the last permit if permits
// were never given out early.
type budget struct {
	spacing time.Duration
	burst   int
	spent   time.Time
}

// take takes a permit, or returns how long until there is one.
func (b *budget) take(now time.Time) time.Duration {
	if full := now.Add(-time.Duration(b.burst) * b.spacing); b.spent.Before(full) {
		b.spent = full
	}
	next := b.spent.Add(b.spacing)
	if wait := next.Sub(now); wait > 0 {
		return wait
	}
	b.spent = next
	return 0
}
