package quota

import (
	"maps"
	"time"
)

// Reserve is what one replica may spend, calls that are under way included, and
// so what the others may not. It is theirs to honour until a little after Until:
// a replica that has died gives it back that way.
type Reserve struct {
	Spending
	Until time.Time `json:"until"`
}

const (
	// reserved is how long a replica spends from what it has reserved.
	reserved = 10 * time.Second
	// skew is how much longer the others honour it: clocks differ, and a call
	// that was begun in time is told of when it has ended.
	skew = 5 * time.Second
	// shares is how many slices of what is left it would take to have it all.
	// They shrink with it: at the end nobody waits for much that another one
	// has and does not need.
	shares = 8
)

// holds reports whether others have to honour it.
func (r Reserve) holds(now time.Time) bool { return now.Before(r.Until.Add(skew)) }

// Leave says whether a call may begin.
type Leave uint8

// What a ledger says to a call.
const (
	Granted Leave = iota
	Ask           // reserve something first: see Ledger.Offer
	Wait          // what is left may be taken by calls under way or by other replicas
	Spent         // our own limit is reached
)

// A Call is one that asks for so many openids.
type Call struct {
	OpenIDs int
	Bulk    bool // for replay or backfill
}

func (c Call) spending() Spending { return Spending{1, int64(c.OpenIDs)} }

// Begin asks for leave to make a call. If it is Granted the
// call is under way until End. A replica that is alone reserves nothing. Wait
// lasts until something is told, a call ends, or until, if that is not zero.
func (l *Ledger) Begin(now time.Time, c Call, alone bool) (leave Leave, until time.Time) {
	l.roll(now)
	if l.ours() {
		if leave, until = l.leave(now, alone); leave != Granted {
			return leave, until
		}
	}
	l.Force(c)
	return Granted, time.Time{}
}

// Force begins a call that needs no leave.
func (l *Ledger) Force(c Call) {
	l.flight = l.flight.plus(c.spending())
	if c.Bulk {
		l.bulk = l.bulk.plus(c.spending())
	}
}

// End ends a call; one that was never sent has cost nothing.
func (l *Ledger) End(now time.Time, c Call, sent bool) {
	l.roll(now)
	s := c.spending()
	l.flight = l.flight.minus(s)
	if c.Bulk {
		l.bulk = l.bulk.minus(s)
	}
	if !sent {
		return
	}
	l.own.Spent = l.own.Spent.plus(s)
	if c.Bulk {
		l.own.Bulk = l.own.Bulk.plus(s)
	}
}

// Flight is how many openids are in calls under way.
func (l *Ledger) Flight() int64 { return l.flight.OpenIDs }

func (l *Ledger) leave(now time.Time, alone bool) (Leave, time.Time) {
	u := l.Unit()
	mine := l.shared.Reserves[l.cfg.Replica]
	switch {
	case l.Exhausted(now):
		return Spent, time.Time{}
	case !alone && now.Before(mine.Until) && u.cost(mine.Spending.minus(l.flight).minus(l.own.Spent)) > 0:
		return Granted, time.Time{}
	}
	free, until := l.free(now)
	switch {
	case free <= 0:
		return Wait, until
	case alone:
		return Granted, time.Time{}
	}
	return Ask, time.Time{}
}

// free is what neither we nor others may be spending already, and when the first
// of the others' reserves lapses; zero if there is none.
func (l *Ledger) free(now time.Time) (free int64, until time.Time) {
	u := l.Unit()
	free = l.Limit() - l.Used(now) - u.cost(l.flight)
	for _, r := range l.others(now) {
		free -= u.cost(r.Spending)
		if lapse := r.Until.Add(skew); until.IsZero() || lapse.Before(until) {
			until = lapse
		}
	}
	return free, until
}

// others are the reserves that this replica has to honour.
func (l *Ledger) others(now time.Time) map[string]Reserve {
	others := maps.Clone(l.shared.Reserves)
	maps.DeleteFunc(others, func(name string, r Reserve) bool { return name == l.cfg.Replica || !r.holds(now) })
	return others
}

// Holds reports whether others have to honour what we have reserved.
func (l *Ledger) Holds(now time.Time) bool { return l.shared.Reserves[l.cfg.Replica].holds(now) }

// Offer is what a replica stores where shared was: what it has spent since it
// last did, and, unless it stops, what it reserves. [Ledger.Flushed] is for when
// that has worked.
func (l *Ledger) Offer(now time.Time, shared Shared, stops bool) (next Shared, d Delta) {
	next = shared.Add(now, l.own)
	next.Reserves = l.reserves(now, next, stops)
	return next, l.own
}

// OfferReading is [Ledger.Offer] with what WeChat says: see [Shared.Reconcile].
func (l *Ledger) OfferReading(now time.Time, shared Shared, asked Asked, limit int64, r Reading) (next Shared, d Delta) {
	next = shared.Reconcile(now, l.own, asked, limit, r)
	next.Reserves = l.reserves(now, next, false)
	return next, l.own
}

// reserves is what all will have reserved once s is stored, in which all is told
// that we have spent: of what is free we take a slice.
func (l *Ledger) reserves(now time.Time, s Shared, stops bool) map[string]Reserve {
	then := Ledger{cfg: l.cfg, shared: s, own: Delta{Day: s.Day}, flight: l.flight}
	all := then.others(now)
	if !then.ours() || stops {
		return all
	}
	u, batch := then.Unit(), max(1, l.cfg.Batch)
	free, _ := then.free(now)
	slice := max(0, min(free, max(free/shares, u.cost(Spending{1, batch}))))
	take := Spending{slice, slice * batch}
	if u != PerCall {
		take = Spending{(slice + batch - 1) / batch, slice}
	}
	if all == nil {
		all = make(map[string]Reserve, 1)
	}
	all[l.cfg.Replica] = Reserve{l.flight.plus(take), now.Add(reserved)}
	return all
}
