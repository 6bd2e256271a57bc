package wechat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fetch is called by the holder of the slot, which knew of so many fetches when
// it began to wait.
func (t *Tokens) fetch(ctx context.Context, known int) (Secret, error) {
	old, fresh, fetches := t.look(time.Now())
	if old != "" && fresh {
		return old, nil
	}
	t.mu.Lock()
	w, failure := Wanted{Secret: t.secret, Rejected: t.rejected, Current: t.current}, t.failure
	t.mu.Unlock()
	if fetches != known && failure != nil {
		return t.failed(ctx, failure, old) // it ended while we waited for it
	}
	token, err := t.get(ctx, w)
	if err != nil {
		return t.failed(ctx, err, old)
	}
	return t.keep(token), nil
}

// get asks the other processes, if there are any, or the source.
func (t *Tokens) get(ctx context.Context, w Wanted) (Token, error) {
	if w.Current.Value != "" { // an early refresh may not hold up its caller for long
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, refreshRetry/10)
		defer cancel()
	}
	issue := func(ctx context.Context, spent time.Time) (Token, time.Time, error) {
		spent, err := t.permit(spent)
		if err != nil {
			return Token{}, spent, err
		}
		token, err := t.source(ctx, w)
		return token, spent, err
	}
	if t.share != nil {
		return t.share(ctx, w, issue)
	}
	token, _, err := issue(ctx, time.Time{})
	return token, err
}

// permit takes a permit from the cap, of which other processes may have used
// more than this one knows.
func (t *Tokens) permit(spent time.Time) (time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if spent.After(now) {
		spent = now // a clock that is ahead must not hold up everybody else
	}
	if spent.After(t.budget.spent) {
		t.budget.spent = spent
	}
	if wait := t.budget.take(now); wait > 0 {
		return t.budget.spent, t.heldBack(wait)
	}
	return t.budget.spent, nil
}

func (t *Tokens) keep(token Token) Secret {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetches++
	t.failure = nil
	t.current = token
	t.refreshAt = token.Renew
	if t.refreshAt.IsZero() {
		t.refreshAt = token.Expires.Add(-refreshAhead)
	}
	if soon := now.Add(refreshRetry); t.refreshAt.Before(soon) {
		t.refreshAt = soon
	}
	if token.Value == t.rejected {
		t.again = now.Add(refreshRetry)
	} else {
		t.rejected = ""
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
	if last, ok := errors.AsType[*Error](t.failure); ok && (last.Class == Operator || last.Class == Permission || last.Class == Address) {
		e := *last
		e.After = max(wait, last.After)
		return &e
	}
	return &Error{Op: t.op, Class: Transient, After: wait, Err: errors.New("fetched too often, held back locally")}
}

func (t *Tokens) gaveUp(ctx context.Context) error {
	return &Error{Op: t.op, Class: Transient, Err: fmt.Errorf("wait for a token: %w", secrets{}.cause(ctx, context.Cause(ctx)))}
}
