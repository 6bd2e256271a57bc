package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
	"github.com/wxenrich/wxenrich/wechat"
)

// budget is the account's quota as this lane knows it.
type budget struct {
	mu     sync.Mutex
	ledger *quota.Ledger
	flight int // openids in calls in flight

	tell sync.Mutex // held while what was spent is being told: once
}

func newBudget(c *Config) *budget {
	return &budget{ledger: quota.New(quota.Config{
		Limit: c.QuotaLimit, Unit: quota.Unit(c.QuotaUnit), UseAtMost: c.QuotaUse, BulkShare: c.BulkShare,
	})}
}

// begin counts a call with n openids, which may be for bulk work; it is in
// flight until end.
func (b *budget) begin(now time.Time, n int, bulk bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flight += n
	b.ledger.Spend(now, n, bulk)
}

// end ends a call that began then; one that was never sent has cost nothing.
func (b *budget) end(began time.Time, n int, bulk, sent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flight -= n
	if !sent {
		b.ledger.Undo(time.Now(), began, n, bulk)
	}
}

// untold is what other replicas do not know yet.
func (b *budget) untold() quota.Delta {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.Delta()
}

// told notes that they do now, and what all have spent.
func (b *budget) told(now time.Time, d quota.Delta, s quota.Shared) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Flushed(now, d, s)
}

// apply takes over what all have spent.
func (b *budget) apply(now time.Time, s quota.Shared) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Apply(now, s)
}

// read takes what WeChat says, where there is nobody to tell.
func (b *budget) read(now time.Time, q wechat.Quota, flight int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Read(now, q.Daily, q.Used, flight)
}

// stale reports whether WeChat is to be asked: once an hour, by whichever
// replica is busy, and sooner if that tells what a batch costs.
func (b *budget) stale(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	age := now.Sub(b.ledger.Shared().Read.At)
	return age >= readEvery || age >= repaceEvery && (b.ledger.Telling() || b.ledger.Exhausted(now) && b.ledger.Guessed(now))
}

// Quota is what a lane knows of its account's daily quota.
type Quota struct {
	Limit int64  // of this day, for us; 0: nobody has said it
	Used  int64  // of this day, by us or others
	Unit  string // what a batch costs: call, openid, or unknown, which counts like openid
}

// Quota is what the lane knows of the day's quota. It is safe for concurrent use.
func (l *Lane) Quota() Quota {
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return quotaOf(b.ledger, time.Now())
}

func quotaOf(ledger *quota.Ledger, now time.Time) Quota {
	q := Quota{Used: ledger.Used(now), Unit: string(ledger.Unit())}
	if ledger.Known() {
		q.Limit = ledger.Limit()
	}
	if q.Unit == "" {
		q.Unit = "unknown"
	}
	return q
}

// spent is the hold of an account whose quota is used as far as it may be; nil
// while it is not.
func (b *budget) spent(now time.Time, rand func() float64) *Hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ledger.Exhausted(now) {
		return nil
	}
	return &Hold{
		Reason: HoldDailyQuota, Since: now, Until: afterMidnight(now, rand),
		Detail: fmt.Sprintf("%d of the %d that quota.limit and quota.use_at_most allow a day are used", b.ledger.Used(now), b.ledger.Limit()),
		Hint:   "it goes on by itself after midnight in Beijing; raise quota.limit or quota.use_at_most to go on today",
	}
}

// doubtful reports whether our own limit is reached by a guess only: WeChat may
// count much less.
func (b *budget) doubtful(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.Exhausted(now) && b.ledger.Guessed(now)
}

// scarce reports whether the calls that are in flight may take all that is left
// of our own limit: more of them would go beyond it.
func (b *budget) scarce(now time.Time, calls, size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return calls > 0 && b.ledger.Scarce(now, quota.Spending{Calls: int64(calls), OpenIDs: int64(calls * size)})
}

// allowBulk reports whether bulk work may make a call with so many openids.
func (b *budget) allowBulk(now time.Time, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.AllowBulk(now, n, b.ledger.LiveRate(now))
}

// early is the pace of early calls that the quota keeps up until midnight.
func (b *budget) early(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	left, daily, unlimited := b.ledger.EarlyCalls(now)
	if unlimited {
		return math.Inf(1)
	}
	return pace.PerSecond(left, daily, quota.Midnight(now).Sub(now))
}

// How often a lane that has calls to make looks at its quota: how many of them
// may be early, and what WeChat says.
const (
	repaceEvery = time.Minute
	readEvery   = time.Hour
)

// quotaPath is whose quota WeChat is asked for.
const quotaPath = "/cgi-bin/" + opBatchGet

// quotaWatch is what the loop knows of its looks at the quota.
type quotaWatch struct {
	repaced time.Time     // when the pace of early calls was fitted to it last
	reading bool          // WeChat is being asked
	read    chan bool     // whether it has said something
	readAt  time.Time     // when that was begun
	telling bool          // what was spent is being told
	tell    chan struct{} //
	toldAt  time.Time     // when that was begun
	learned uint64        // the revision that was last taken over
	silent  bool          // WeChat did not say anything when it was asked last
	doubts  bool          // the lane waits for WeChat's word: the limit is reached by a guess
}

// tellEvery is how often a replica tells what it has spent.
const tellEvery = 2 * time.Second

// watchQuota is for a lane that has something to look up. A lane without asks
// for nothing.
func (l *loop) watchQuota(now time.Time) {
	if now.Sub(l.repaced) >= repaceEvery {
		l.repaced = now
		l.bucket.SetRate(now, l.budget.early(now))
	}
	if l.reading || l.telling || now.Sub(l.readAt) < repaceEvery || !l.budget.stale(now) {
		return
	}
	l.reading, l.readAt = true, now
	go func() {
		l.read <- l.readQuota(l.c.stop)
	}()
}

// doubt reports whether to wait for WeChat's word before the account rests,
// because what a batch costs is not known. It is asked once a minute at most,
// for its counter may lag behind, and when no call is under way that it may or
// may not have counted.
func (l *loop) doubt(now time.Time) bool {
	l.doubts = !l.silent && l.budget.doubtful(now)
	if l.doubts && l.calls == 0 {
		l.watchQuota(now)
	}
	return l.doubts
}

// quotaRead notes that WeChat was asked. If it does not say, it is not asked
// again for an hour.
func (l *loop) quotaRead(ok bool) {
	l.reading, l.repaced, l.silent = false, time.Time{}, !ok
	if !ok {
		l.readAt = l.readAt.Add(readEvery - repaceEvery)
	}
}

// readQuota asks WeChat what is used; an error only leaves it unknown.
func (l *Lane) readQuota(ctx context.Context) bool {
	b := l.budget
	b.mu.Lock()
	before := b.flight
	b.mu.Unlock()
	q, err := l.wechat.Quota(ctx, quotaPath)
	if err != nil || q.Daily <= 0 {
		l.log.Debug("WeChat does not say what is left of the quota", slog.Any("error", err))
		return false
	}
	b.mu.Lock()
	flight := max(before, b.flight)
	b.mu.Unlock()
	l.reconcile(ctx, q, flight)
	return true
}

// tellQuota tells what was spent, beside the loop, if it is time.
func (l *loop) tellQuota(now time.Time) {
	if l.board == nil || l.reading || l.telling || now.Before(l.tellAt()) {
		return
	}
	l.telling, l.toldAt = true, now
	go func() {
		l.addSpent(l.c.abort)
		l.tell <- struct{}{}
	}()
}

// tellAt is when there is something to tell.
func (l *loop) tellAt() time.Time {
	if l.budget.untold().Spent == (quota.Spending{}) {
		return time.Now().Add(time.Hour)
	}
	return l.toldAt.Add(tellEvery)
}

// tellRest tells at the end what is still to be told.
func (l *loop) tellRest() {
	if l.board != nil && l.budget.untold().Spent != (quota.Spending{}) {
		l.addSpent(l.c.abort)
	}
}
