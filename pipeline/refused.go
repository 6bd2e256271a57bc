package pipeline

import "time"

const (
	// refusedFor is how long a refused openid is remembered, at least half of
	// it and at most all: WeChat may come to know it.
	refusedFor = 20 * time.Minute
	// refusedMax is how many are remembered in each half.
	refusedMax = 10_000
)

// refusedOnes remembers openids that WeChat refused for good, so that a
// producer who repeats one does not spoil a batch each time. It forgets in
// halves: those of the half before last are gone. It belongs to the loop.
type refusedOnes struct {
	now, before map[string]*cause
	since       time.Time
}

// add remembers an openid and why it was refused.
func (r *refusedOnes) add(now time.Time, openid string, why *cause) {
	r.turn(now)
	if r.now == nil || len(r.now) >= refusedMax {
		r.before, r.now, r.since = r.now, make(map[string]*cause), now
	}
	r.now[openid] = why
}

// get returns why an openid was refused, or nil.
func (r *refusedOnes) get(now time.Time, openid string) *cause {
	if r.now == nil && r.before == nil {
		return nil
	}
	r.turn(now)
	if why := r.now[openid]; why != nil {
		return why
	}
	return r.before[openid]
}

// turn forgets a half when it is old enough.
func (r *refusedOnes) turn(now time.Time) {
	switch age := now.Sub(r.since); {
	case age >= refusedFor:
		r.before, r.now, r.since = nil, nil, now
	case age >= refusedFor/2:
		r.before, r.now, r.since = r.now, nil, now
	}
}
