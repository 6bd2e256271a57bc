package pipeline

import (
	"context"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// aloneFor is how long a replica that could not tell the others what it is about
// to spend goes by its own account.
const aloneFor = 10 * time.Second

// grant waits for leave to make a call, and returns when the call begins.
// It is not ok if the lane stops first, or if our own limit of the quota is
// reached: who asks gives up its work, and the loop looks at the limit too.
//
// What is left of a limit is the replicas' together, so a call begins only when
// the others know that it may be made.
func (l *Lane) grant(ctx context.Context, call quota.Call) (began time.Time, ok bool) {
	for ctx.Err() == nil {
		now := time.Now()
		leave, until, changed := l.budget.begin(now, call, l.board != nil)
		switch leave {
		case quota.Granted:
			return now, true
		case quota.Spent:
			return time.Time{}, false
		case quota.Ask:
			l.reserve(ctx, changed)
		case quota.Wait:
			pause(ctx, until, changed)
		}
	}
	return time.Time{}, false
}

// pause waits until a time, if it is not zero, or until something has changed.
func pause(ctx context.Context, until time.Time, changed <-chan struct{}) {
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// reserve takes a slice of what is left, unless things have changed before it is
// our turn.
func (l *Lane) reserve(ctx context.Context, changed <-chan struct{}) {
	b := l.budget
	if !b.take(ctx) {
		return
	}
	defer b.leave()
	select {
	case <-changed:
		return
	default:
	}
	err := l.tellSpent(ctx, func(b *quota.Ledger, s quota.Shared) (quota.Shared, quota.Delta) {
		return b.Offer(time.Now(), s, false)
	})
	if err != nil {
		b.change(func(*quota.Ledger) { b.alone = time.Now().Add(aloneFor) })
	}
}

// take takes the turn to tell; false if ctx ended first.
func (b *budget) take(ctx context.Context) bool {
	select {
	case b.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *budget) leave() { <-b.turn }
