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
)

// budget is the account's quota as this lane knows it.
type budget struct {
	turn chan struct{} // one slot: whoever has it tells the others

	mu      sync.Mutex
	ledger  *quota.Ledger
	alone   time.Time     // until then nothing is reserved, because nobody can be told
	changed chan struct{} // closed when there may be leave for a call that has to wait
}

func newBudget(c *Config, replica string) *budget {
	return &budget{
		turn: make(chan struct{}, 1), changed: make(chan struct{}),
		ledger: quota.New(quota.Config{
			Limit: c.QuotaLimit, Unit: quota.Unit(c.QuotaUnit), UseAtMost: c.QuotaUse, BulkShare: c.BulkShare,
			Replica: replica, Batch: int64(c.BatchSize),
		}),
	}
}

// begin asks for leave to call; the call is under way until end. One that has to
// wait may ask again at a time, and when it has changed.
func (b *budget) begin(now time.Time, c quota.Call, board bool) (leave quota.Leave, until time.Time, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	leave, until = b.ledger.Begin(now, c, !board || now.Before(b.alone))
	return leave, until, b.changed
}

// force begins a call that needs no leave.
func (b *budget) force(c quota.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Force(c)
}

// end ends a call; one that was never sent has cost nothing.
func (b *budget) end(c quota.Call, sent bool) {
	b.change(func(l *quota.Ledger) { l.End(time.Now(), c, sent) })
}

// change changes the ledger, and wakes the calls that wait.
func (b *budget) change(f func(*quota.Ledger)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.ledger)
	close(b.changed)
	b.changed = make(chan struct{})
}

// do only looks at it.
func (b *budget) do(f func(*quota.Ledger)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.ledger)
}

// untold reports whether others do not know all that was spent.
func (b *budget) untold() (untold bool) {
	b.do(func(l *quota.Ledger) { untold = l.Untold() })
	return untold
}

// reserves reports whether others keep their hands off something for our sake.
func (b *budget) reserves(now time.Time) (reserves bool) {
	b.do(func(l *quota.Ledger) { reserves = l.Holds(now) })
	return reserves
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
	Bulk  int64  // of that, by our replays and backfills
	Unit  string // what a batch costs: call, openid, or unknown, which counts like openid

	Fill float64  // openids in a call of ours in the mean, lately; 0: there was none today
	Call CallTime // how long a call of ours takes, lately
}

// CallTime is how long calls take.
type CallTime struct {
	Middle time.Duration // the geometric mean; 0: it is not known
	Spread float64       // the standard deviation of the logarithm
	Store  time.Duration // what its answers take to be stored, beside
}

// Quota is what the lane knows of the day's quota. It is safe for concurrent use.
func (l *Lane) Quota() Quota {
	b := l.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return quotaOf(b.ledger, time.Now())
}

func quotaOf(ledger *quota.Ledger, now time.Time) Quota {
	q := Quota{Used: ledger.Used(now), Bulk: ledger.Bulk(now), Unit: string(ledger.Unit()), Fill: ledger.Fill()}
	q.Call.Middle, q.Call.Spread = ledger.Typical()
	q.Call.Store = ledger.Storing()
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
		Hint:   "it goes on by itself after midnight in Beijing; to go on today raise quota.limit or quota.use_at_most, and have the accounts read again (SIGHUP) or start anew",
	}
}

// doubtful reports whether only WeChat can tell if there is any left: our own
// limit is reached by a guess, and it may count much less; or the limit is a
// share of one that it has not said, and somebody waits to be looked up.
func (b *budget) doubtful(now time.Time, waits bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return waits && b.ledger.Blind() || b.ledger.Exhausted(now) && b.ledger.Guessed(now)
}

// allowBulk reports whether bulk work may make so many calls of so many openids.
func (b *budget) allowBulk(now time.Time, calls, openids int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.AllowBulk(now, calls, openids, b.ledger.LiveRate(now))
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
	doubts  bool          // the lane waits for WeChat's word: see budget.doubtful
}

// tellEvery is how often a replica tells what it has spent, and keepEvery how
// often it renews what it has reserved for calls that take long.
const (
	tellEvery = 2 * time.Second
	keepEvery = 5 * time.Second
)

// watchQuota is for a lane that has something to look up. A lane without asks
// for nothing.
func (l *loop) watchQuota(now time.Time) {
	if now.Sub(l.repaced) >= repaceEvery {
		l.repaced = now
		l.bucket.SetRate(now, l.budget.early(now))
	}
	if l.reading || now.Sub(l.readAt) < repaceEvery || !l.budget.stale(now) {
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
	l.doubts = !l.silent && l.budget.doubtful(now, l.batch.Len()+len(l.ready) > 0)
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
	var asked quota.Asked
	var before, after int64
	r := quota.Reading{At: time.Now()}
	l.budget.do(func(b *quota.Ledger) { asked, before = b.Asked(r.At), b.Flight() })
	q, err := l.wechat.Quota(ctx, quotaPath)
	if err != nil || q.Daily <= 0 {
		l.log.Debug("WeChat does not say what is left of the quota", slog.Any("error", err))
		return false
	}
	l.budget.do(func(b *quota.Ledger) { after = b.Flight() })
	r.Used, r.Flight = q.Used, max(before, after)
	l.reconcile(ctx, asked, q.Daily, r)
	return true
}

// tellQuota tells what was spent, beside the loop, if it is time.
func (l *loop) tellQuota(now time.Time) {
	if l.board == nil || l.telling || now.Before(l.tellAt()) {
		return
	}
	l.telling, l.toldAt = true, now
	go func() {
		l.addSpent(l.c.abort, false)
		l.tell <- struct{}{}
	}()
}

// tellAt is when there is something to tell: what was spent, or that calls are
// still under way.
func (l *loop) tellAt() time.Time {
	switch {
	case l.budget.untold():
		return l.toldAt.Add(tellEvery)
	case l.calls > 0 && l.budget.reserves(time.Now()):
		return l.toldAt.Add(keepEvery)
	}
	return time.Now().Add(time.Hour)
}

// tellRest tells at the end what is still to be told, and gives back what is
// reserved; a job's lane leaves that to the live one.
func (l *loop) tellRest() {
	if l.board != nil && (l.budget.untold() || l.budget.reserves(time.Now())) {
		l.addSpent(l.c.abort, l.task == nil)
	}
}
