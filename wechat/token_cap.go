package wechat

import "time"

const (
	// fetchBurst and the spacings cap the fetches of one process. They are
	// there for the bug or the rejection loop nobody thought of: such loops
	// have used up quotas of 2,000 fetches a day. One a minute is 1,440 a day.
	fetchBurst     = 5
	classicSpacing = time.Minute
	// stableSpacing serves a quota of 500,000 a day, so it may be shorter and
	// an outage be over sooner.
	stableSpacing = 5 * time.Second
)

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
