package quota

import (
	"math"
	"time"
)

// Config is what the operator says of the quota.
type Config struct {
	Limit     int64   // a day; 0: what WeChat says
	Unit      Unit    // Undecided: find out
	UseAtMost float64 // the share to spend, above 0 to 1
	BulkShare float64 // of that, what replay and backfill may spend, 0 to 1

	Replica string // who reserves, among those who share the quota
	Batch   int64  // openids in a full call
}

// Default is the daily limit that WeChat documents for user/info
// (API_Call_Limits), for as long as it has not said another.
const Default = 5_000_000

// A Ledger is one replica's account of the quota: what is shared and what it
// has spent since. It is not safe for concurrent use.
type Ledger struct {
	cfg    Config
	shared Shared
	own    Delta    // by calls that have ended
	flight Spending // by calls under way
	bulk   Spending // of that, for replay or backfill
}

// New begins with nothing known.
func New(cfg Config) *Ledger { return &Ledger{cfg: cfg} }

// roll drops what belongs to a day that is over.
func (l *Ledger) roll(now time.Time) {
	l.shared = l.shared.today(now)
	if l.own.Day != l.shared.Day {
		l.own = Delta{Day: l.shared.Day, Took: l.own.Took}
	}
}

// Asked is how things stand when WeChat is asked what is used: what had been
// spent by then is in its answer.
func (l *Ledger) Asked(now time.Time) Asked {
	l.roll(now)
	return Asked{l.shared.Spent.plus(l.own.Spent), l.shared.Read.At}
}

// Read takes what WeChat says: the limit of a day, and what is used of it. It is
// for a replica that is alone; others store what [Shared.Reconcile] makes of it.
func (l *Ledger) Read(now time.Time, asked Asked, limit int64, r Reading) {
	l.roll(now)
	l.Flushed(now, l.own, l.shared.Reconcile(now, l.own, asked, limit, r))
}

// Shared is what the ledger knows without what it has not told.
func (l *Ledger) Shared() Shared { return l.shared }

// Untold reports whether something was spent that others do not know of.
func (l *Ledger) Untold() bool { return l.own.Spent != (Spending{}) }

// Flushed takes note that a delta is part of s, which is stored.
func (l *Ledger) Flushed(now time.Time, d Delta, s Shared) {
	l.own.Took = l.own.Took.minus(d.Took)
	if d.Day == l.own.Day {
		l.own.Spent, l.own.Bulk = l.own.Spent.minus(d.Spent), l.own.Bulk.minus(d.Bulk)
	}
	l.Apply(now, s)
}

// Apply takes over what is stored.
func (l *Ledger) Apply(now time.Time, s Shared) {
	l.shared = s
	l.roll(now)
}

// Unit is what a batch costs, as far as it is known.
func (l *Ledger) Unit() Unit {
	if l.cfg.Unit != Undecided {
		return l.cfg.Unit
	}
	return l.shared.Unit
}

// Telling reports whether a reading now would say what a batch costs, and
// nobody knows it yet.
func (l *Ledger) Telling() bool {
	since := l.shared.Since.plus(l.own.Spent)
	return l.Unit() == Undecided && !l.shared.Base.At.IsZero() && since.OpenIDs >= evidence && since.OpenIDs >= telling*since.Calls
}

// Guessed reports whether what is used is in part a guess, which a reading would
// replace: calls that were made since the last one, at a cost that is not known.
func (l *Ledger) Guessed(now time.Time) bool {
	l.roll(now)
	return l.Unit() == Undecided && l.shared.Spent.plus(l.own.Spent).OpenIDs > 0
}

// Fill is how many openids our calls of today have had in the mean, since WeChat
// last said what is used if there were any since; 0 if there were none.
func (l *Ledger) Fill() float64 {
	s := l.shared.Spent.plus(l.own.Spent)
	if s.Calls == 0 {
		s = l.shared.Since.plus(l.own.Spent)
	}
	if s.Calls == 0 {
		return 0
	}
	return float64(s.OpenIDs) / float64(s.Calls)
}

// Took takes note of how long a call took that was answered, or refused for somebody
// in it.
func (l *Ledger) Took(d time.Duration) {
	l.own.Took = l.own.Took.plus(Lengths{Call: lengthOf(d)})
}

// Stored takes note of how long answers took to be stored.
func (l *Ledger) Stored(d time.Duration) {
	l.own.Took = l.own.Took.plus(Lengths{Store: lengthOf(d)})
}

// Typical is how long our calls take, lately, in the middle, 0 if there was none,
// and the standard deviation of the logarithm of that.
func (l *Ledger) Typical() (middle time.Duration, spread float64) {
	return l.shared.Took.plus(l.own.Took).Call.typical()
}

// Storing is how long answers take to be stored, lately, in the middle; 0 if there
// were none.
func (l *Ledger) Storing() time.Duration {
	middle, _ := l.shared.Took.plus(l.own.Took).Store.typical()
	return middle
}

// Known reports whether the limit is anybody's word rather than [Default].
func (l *Ledger) Known() bool { return l.cfg.Limit > 0 || l.shared.Limit > 0 }

// Limit is what may be used of the account's quota in a day, by us or others.
func (l *Ledger) Limit() int64 {
	limit := l.cfg.Limit
	if limit == 0 {
		limit = l.shared.Limit
	}
	if limit == 0 {
		limit = Default
	}
	return int64(float64(limit) * l.cfg.UseAtMost)
}

// Used is what is used of the day's quota, by us or others.
func (l *Ledger) Used(now time.Time) int64 {
	l.roll(now)
	return l.shared.Read.Used + l.Unit().cost(l.shared.Spent.plus(l.own.Spent))
}

// Left is what is left of [Ledger.Limit] until midnight, never negative.
func (l *Ledger) Left(now time.Time) int64 { return max(0, l.Limit()-l.Used(now)) }

// ours reports whether the limit is our own word. Where nothing but WeChat's
// counts, WeChat says so itself: 45009.
func (l *Ledger) ours() bool { return l.cfg.Limit > 0 || l.cfg.UseAtMost < 1 && l.shared.Limit > 0 }

// Exhausted reports whether our own word forbids a call.
func (l *Ledger) Exhausted(now time.Time) bool { return l.ours() && l.Left(now) <= 0 }

// Blind reports whether what may be used is a share of a limit that WeChat has
// not said yet.
func (l *Ledger) Blind() bool { return l.cfg.Limit == 0 && l.cfg.UseAtMost < 1 && l.shared.Limit == 0 }

// EarlyCalls is what early calls may draw on: how many calls are left until
// midnight and how many a day has. Where openids are counted they cost nothing
// more than waiting, and unlimited is true.
func (l *Ledger) EarlyCalls(now time.Time) (left, daily int64, unlimited bool) {
	if l.Unit() == PerOpenID {
		return math.MaxInt64, math.MaxInt64, true
	}
	return l.Left(now), l.Limit(), false
}

// Bulk is what replay and backfill have spent today of their share.
func (l *Ledger) Bulk(now time.Time) int64 {
	l.roll(now)
	return l.Unit().cost(l.shared.Bulk.plus(l.own.Bulk))
}

// LiveRate is how much of the quota live traffic, and whoever else uses the
// account, has spent a second today. The first hour of a day counts in full.
func (l *Ledger) LiveRate(now time.Time) float64 {
	used := l.Used(now)
	bulk := l.Unit().cost(l.shared.Bulk.plus(l.own.Bulk).spent())
	today := now.Sub(Midnight(now).AddDate(0, 0, -1))
	return float64(max(0, used-bulk)) / max(today, time.Hour).Seconds()
}

// AllowBulk reports whether replay or backfill may make so many calls of so many
// openids each, while live traffic spends a rate of the quota a second: bulk has its
// share of the day, and only of what live traffic leaves until midnight.
func (l *Ledger) AllowBulk(now time.Time, calls, openids int, live float64) bool {
	l.roll(now)
	u := l.Unit()
	cost := u.cost(Spending{int64(calls), int64(calls * openids)})
	bulk := u.cost(l.shared.Bulk.plus(l.own.Bulk).plus(l.bulk)) + cost
	needed := live * Midnight(now).Sub(now).Seconds()
	return float64(bulk) <= l.cfg.BulkShare*float64(l.Limit()) &&
		float64(l.Left(now)-u.cost(l.flight)-cost) >= needed
}
