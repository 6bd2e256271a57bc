package quota

import "time"

// Shared is what all replicas know of an account's quota. It is stored as
// JSON; the zero value knows nothing.
type Shared struct {
	Day   string   `json:"day"`             // in Beijing
	Limit int64    `json:"limit,omitempty"` // a day, as WeChat says; 0: not known
	Unit  Unit     `json:"unit,omitempty"`  // as measured
	Read  Reading  `json:"read"`            // the latest of this day
	Spent Spending `json:"spent"`           // by us since then, or since midnight
	Bulk  Spending `json:"bulk"`            // of all of this day's, by replay and backfill
	Took  Lengths  `json:"took,omitzero"`   // our latest calls, of whatever day

	Reserves map[string]Reserve `json:"reserves,omitempty"` // by replica

	// What the unit is measured by.
	Base  Reading  `json:"base"`            // an earlier reading of this day
	Since Spending `json:"since"`           // by us since then
	Votes int      `json:"votes,omitempty"` // readings in a row that spoke for PerOpenID
}

// Reading is what WeChat says is used. Its zero value is none.
type Reading struct {
	At     time.Time `json:"at,omitzero"`
	Used   int64     `json:"used"`
	Flight int64     `json:"flight,omitempty"` // openids in calls in flight at the time: counted or not
}

// Delta is what a replica has spent and not yet told the others.
type Delta struct {
	Day   string   `json:"day"`
	Spent Spending `json:"spent"`
	Bulk  Spending `json:"bulk"` // the part of it that was replay or backfill
	Took  Lengths  `json:"took"`
}

// today is s as it stands at now: a new day begins with nothing spent.
func (s Shared) today(now time.Time) Shared {
	if day := Day(now); day != s.Day {
		return Shared{Day: day, Limit: s.Limit, Unit: s.Unit, Votes: s.Votes, Took: s.Took}
	}
	return s
}

// Add returns s with what a replica has spent. What belongs to another day is
// over.
func (s Shared) Add(now time.Time, d Delta) Shared {
	s = s.today(now)
	s.Took = s.Took.plus(d.Took).lately()
	if d.Day != s.Day {
		return s
	}
	s.Spent, s.Since, s.Bulk = s.Spent.plus(d.Spent), s.Since.plus(d.Spent), s.Bulk.plus(d.Bulk)
	return s
}

// Asked is how things stood when WeChat was asked: see [Ledger.Asked].
type Asked struct {
	spent Spending  // by calls that had ended, as far as the asker knew
	read  time.Time // of the reading that this is since
}

// Reconcile returns s with what a replica has spent and after a reading, which
// replaces what had been spent when WeChat was asked. What other replicas had
// spent by then and not told is counted twice until the next reading. A reading
// of another day is nothing, and nor is one if there has been another since
// WeChat was asked.
func (s Shared) Reconcile(now time.Time, d Delta, asked Asked, limit int64, r Reading) Shared {
	s = s.Add(now, d)
	s.Limit = limit
	if Day(r.At) != s.Day || !asked.read.Equal(s.Read.At) {
		return s
	}
	s.Read, s.Spent = r, s.Spent.minus(asked.spent).spent()
	if s.Base.At.IsZero() || r.Used < s.Base.Used { // lowered by hand: clear_quota
		s.Base, s.Since = r, s.Spent
		return s
	}
	unsure := (s.Base.Used+r.Used)/100 + s.Base.Flight + r.Flight
	switch verdict(r.Used-s.Base.Used, unsure, s.Since.minus(s.Spent)) {
	case Undecided:
		if r.Flight > 0 || s.Base.Flight == 0 {
			return s // the base stays until there is enough to tell
		}
	case PerCall:
		s.Unit, s.Votes = PerCall, 0
	case PerOpenID:
		if s.Votes++; s.Votes >= enough && s.Unit == Undecided {
			s.Unit = PerOpenID
		}
	}
	s.Base, s.Since = r, s.Spent
	return s
}
