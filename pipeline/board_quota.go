package pipeline

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
	"github.com/wxenrich/wxenrich/wechat"
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
	l.budget.apply(now, readSpent(n))
}

// tellSpent adds to the board what this replica has spent since it last did,
// as update says. Without a board, or if it fails, the replica keeps its own
// account: what is not told is told later.
func (l *Lane) tellSpent(ctx context.Context, update func(quota.Shared, quota.Delta) quota.Shared) error {
	l.budget.tell.Lock()
	defer l.budget.tell.Unlock()
	d := l.budget.untold()
	key := kindQuota + "." + l.cfg.AppID
	n := l.board.get(key)
	for {
		next := update(readSpent(n), d)
		value, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = l.board.put(ctx, key, value, n.rev)
		if err == nil {
			l.budget.told(time.Now(), d, next)
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

// addSpent is tellSpent for what was counted.
func (l *Lane) addSpent(ctx context.Context) {
	err := l.tellSpent(ctx, func(s quota.Shared, d quota.Delta) quota.Shared { return s.Add(time.Now(), d) })
	if err != nil {
		l.log.Debug("other replicas are not told what was spent of the quota", slog.Any("error", err))
	}
}

// reconcile takes what WeChat says is used.
func (l *Lane) reconcile(ctx context.Context, q wechat.Quota, flight int) {
	r := quota.Reading{At: time.Now(), Used: q.Used, Flight: int64(flight)}
	err := errNoBoard
	if l.board != nil {
		err = l.tellSpent(ctx, func(s quota.Shared, d quota.Delta) quota.Shared { return s.Reconcile(d, q.Daily, r) })
	}
	if err != nil {
		l.budget.read(r.At, q, flight)
	}
}
