package pipeline

import (
	"math"
	"math/rand/v2"
	"time"
)

// An Outlook is what comes of a rehearsal: what a job's look-ups take.
type Outlook struct {
	Calls       int64         // likely
	Asked       int64         // openids in them, each as often as it is asked for
	Least, Most int64         // between which numbers of calls chance lets it end
	Lasts       time.Duration // likely
}

// Rehearsals play the same job through a few times, with calls that take now longer
// and now less: where somebody is refused, chance decides who shares a call with
// whom, and so how many calls it takes. Their zero value is not usable: see
// [NewRehearsals]. Whoever begins them calls End.
type Rehearsals struct{ all []*Rehearsal }

const (
	// tries is how often a job is played through.
	tries = 8
	// spreads is by how much more than in the one before the length of calls differs
	// in the next, at least: from not at all to one in a hundred that takes twice as
	// long.
	spreads = 0.05
	// lags is by how much longer than in the one before events lag in the next.
	lags = 2 * time.Millisecond
	// inexact is by what part a rehearsal may be wrong beside chance.
	inexact = 0.025
)

// NewRehearsals is [NewRehearsal] a few times.
func NewRehearsals(cfg Config, rate float64, call CallTime) *Rehearsals {
	rs := &Rehearsals{make([]*Rehearsal, tries)}
	for i := range rs.all {
		rs.all[i] = NewRehearsal(cfg, rate, call)
		rs.all[i].spread = max(call.Spread, spreads*float64(i))
		rs.all[i].lags = lags * time.Duration(i)
		rs.all[i].rng = rand.New(rand.NewPCG(uint64(i), tries)) // a price is the same when it is asked for again
	}
	return rs
}

// Event is one that the job does not leave out, whatever it leads to.
func (rs *Rehearsals) Event() {
	for _, r := range rs.all {
		r.Event()
	}
}

// LookUp is that of all of them.
func (rs *Rehearsals) LookUp(openid string, refused bool) {
	for _, r := range rs.all {
		r.LookUp(openid, refused)
	}
}

// End is when all events are taken in.
func (rs *Rehearsals) End() Outlook { return rs.endBy((*Rehearsal).End) }

func (rs *Rehearsals) endBy(end func(*Rehearsal) Outlook) Outlook {
	var sum, squares, openids, lasts float64
	for _, r := range rs.all {
		o := end(r)
		sum, squares = sum+float64(o.Calls), squares+float64(o.Calls*o.Calls)
		openids, lasts = openids+float64(o.Asked), lasts+float64(o.Lasts)
	}
	n := float64(len(rs.all))
	mean := sum / n
	var margin float64
	if squares > mean*sum { // else they are all the same
		margin = 1 + inexact*mean + 3*math.Sqrt((squares-mean*sum)/(n-1))
	}
	return Outlook{
		Calls: int64(math.Round(mean)), Asked: int64(math.Round(openids / n)),
		Least: int64(max(0, mean-margin)), Most: int64(math.Ceil(mean + margin)), Lasts: time.Duration(lasts / n),
	}
}
