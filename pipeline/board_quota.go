package pipeline

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// kindQuota is what the account's replicas have spent of the day's quota: a
// quota.Shared.
const kindQuota = "quota"

func readSpent(n note) (s quota.Shared) {
	if n.value != nil {
		_ = json.Unmarshal(n.value, &s) // what cannot be read is nothing: WeChat is asked again
	}
	return s
}

// learnSpent takes over what the replicas together have spent, if that is news.
func (l *loop) learnSpent(now time.Time) {
	n := l.board.get(kindQuota + "." + l.cfg.AppID)
	if n.rev == l.learned || n.value == nil {
		return
	}
	l.learned = n.rev
	l.budget.change(func(b *quota.Ledger) { b.Apply(now, readSpent(n)) })
}

// offer is what to store where what the board says was: [quota.Ledger.Offer] or
// another.
type offer func(*quota.Ledger, quota.Shared) (next quota.Shared, d quota.Delta)

// tellSpent tells the board what this replica has spent and reserves. If it
// fails, the replica keeps its own account: what is not told is told later. The
// caller has the turn.
func (l *Lane) tellSpent(ctx context.Context, make offer) error {
	key := kindQuota + "." + l.cfg.AppID
	n := l.board.get(key)
	for {
		var next quota.Shared
		var d quota.Delta
		l.budget.do(func(b *quota.Ledger) { next, d = make(b, readSpent(n)) })
		value, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = l.board.put(ctx, key, value, n.rev)
		if err == nil {
			l.budget.change(func(b *quota.Ledger) { b.Flushed(time.Now(), d, next) })
			return nil
		}
		if err == errOutrun {
			n, err = l.board.fetch(ctx, key)
		}
		if err != nil {
			return err
		}
	}
}

// addSpent tells what was counted; a replica that stops reserves nothing more.
func (l *Lane) addSpent(ctx context.Context, stops bool) {
	if !l.budget.take(ctx) {
		return
	}
	defer l.budget.leave()
	err := l.tellSpent(ctx, func(b *quota.Ledger, s quota.Shared) (quota.Shared, quota.Delta) {
		return b.Offer(time.Now(), s, stops)
	})
	if err != nil {
		l.log.Debug("other replicas are not told what was spent of the quota", slog.Any("error", err))
	}
}

// reconcile takes what WeChat says is used.
func (l *Lane) reconcile(ctx context.Context, asked quota.Asked, daily int64, r quota.Reading) {
	err := errNoBoard
	if l.board != nil && l.budget.take(ctx) {
		defer l.budget.leave()
		err = l.tellSpent(ctx, func(b *quota.Ledger, s quota.Shared) (quota.Shared, quota.Delta) {
			return b.OfferReading(time.Now(), s, asked, daily, r)
		})
	}
	if err != nil {
		l.budget.change(func(b *quota.Ledger) { b.Read(time.Now(), asked, daily, r) })
	}
}
