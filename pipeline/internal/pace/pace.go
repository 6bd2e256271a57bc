// Package pace decides how often a lane may call: before its batches are full,
// and at all.
//
// Waiting fills batches and saves calls; calling at once saves time. Calls
// that the day's quota leaves unused are worth nothing tomorrow, so a lane may
// spend them on time, at the pace that the quota can keep up until its reset.
package pace

import "time"

// Share is how much of the sustainable pace early calls may use: the rest
// absorbs retries, splits and a busier hour.
const Share = 0.8

// PerSecond is the pace in calls a second that a quota allows: a share of
// what is left over the time to its reset, and never more than a day's quota
// spread over a day, so that the minute before midnight is no feast.
func PerSecond(left, daily int64, toReset time.Duration) float64 {
	perDay := float64(daily) / (24 * time.Hour).Seconds()
	if toReset <= 0 {
		return Share * perDay
	}
	return Share * min(max(0, float64(left))/toReset.Seconds(), perDay)
}

// A Bucket counts calls against a pace. Every call takes from it, also those
// that were not early, so it may be in debt; it only ever forbids early ones.
// It is not safe for concurrent use, and reads no clock.
type Bucket struct {
	rate   float64 // calls a second
	burst  float64
	tokens float64
	at     time.Time
}

// NewBucket starts full.
func NewBucket(now time.Time, perSecond float64, burst int) *Bucket {
	return &Bucket{rate: perSecond, burst: float64(burst), tokens: float64(burst), at: now}
}

// SetRate changes the pace from now on.
func (b *Bucket) SetRate(now time.Time, perSecond float64) {
	b.fill(now)
	b.rate = perSecond
}

// Take counts one call.
func (b *Bucket) Take(now time.Time) {
	b.fill(now)
	// Debt is bounded: a backlog's worth of full batches must not put off
	// early calls for hours after it.
	b.tokens = max(b.tokens-1, -b.burst)
}

// Next says when an early call is allowed next: now or later.
func (b *Bucket) Next(now time.Time) time.Time {
	b.fill(now)
	if b.tokens >= 1 {
		return now
	}
	const never = 24 * time.Hour
	if b.rate <= 0 {
		return now.Add(never)
	}
	wait := (1 - b.tokens) / b.rate
	return now.Add(min(never, time.Duration(wait*float64(time.Second))))
}

func (b *Bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.burst, b.tokens+d.Seconds()*b.rate)
		b.at = now
	}
}

// A Window says when an open batch that is not full closes.
type Window struct {
	Fixed bool
	Wait  time.Duration // Fixed: the window itself
	Max   time.Duration // not Fixed: the longest wait when calls are scarce
	// Linger is the wait of a batch that may close at once: what comes in the
	// same moment, as a burst or from a backlog, shares its call.
	Linger time.Duration
}

// Closes returns when a batch closes whose first item came at since, if an
// early call is allowed at next. It may lie in the past.
func (w Window) Closes(since, next time.Time) time.Time {
	if w.Fixed {
		return since.Add(w.Wait)
	}
	at := since.Add(w.Linger)
	if next.After(at) {
		at = next
	}
	if last := since.Add(w.Max); at.After(last) {
		at = last
	}
	return at
}
