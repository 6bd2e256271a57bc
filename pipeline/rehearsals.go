package pipeline

import (
	"math"
	"math/rand/v2"
)

// Rehearsals play the same job through a few times, with calls that take now longer
// and now less: where somebody is refused, chance decides who shares a call with
// whom, and so how many calls it takes. Their zero value is not usable: see
// [NewRehearsals]. Whoever begins them calls End.
type Rehearsals struct{ all []*Rehearsal }

const (
	// tries is how often a job is played through.
	tries = 8
	// spreads is by how much more than in the one before the length of calls differs
	// in the next: from not at all to one in a hundred that takes twice as long.
	spreads = 0.05
	// inexact is by what part a rehearsal may be wrong beside chance.
	inexact = 0.025
)

// NewRehearsals is [NewRehearsal] a few times.
func NewRehearsals(cfg Config, rate float64) *Rehearsals {
	rs := &Rehearsals{make([]*Rehearsal, tries)}
	for i := range rs.all {
		rs.all[i] = NewRehearsal(cfg, rate)
		rs.all[i].spread = spreads * float64(i)
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

// End is when all events are taken in. It says how many calls are likely, of how
// many openids, each as often as it was asked for, and between which numbers of
// calls chance lets it end.
func (rs *Rehearsals) End() (calls, asked, least, most int64) { return rs.endBy((*Rehearsal).End) }

func (rs *Rehearsals) endBy(end func(*Rehearsal) (calls, asked int64)) (calls, asked, least, most int64) {
	var sum, squares, openids float64
	for _, r := range rs.all {
		calls, asked := end(r)
		sum, squares, openids = sum+float64(calls), squares+float64(calls*calls), openids+float64(asked)
	}
	n := float64(len(rs.all))
	mean := sum / n
	if squares <= mean*sum { // they are all the same
		return int64(mean), int64(math.Round(openids / n)), int64(mean), int64(mean)
	}
	margin := 1 + inexact*mean + 3*math.Sqrt((squares-mean*sum)/(n-1))
	return int64(math.Round(mean)), int64(math.Round(openids / n)), int64(max(0, mean-margin)), int64(math.Ceil(mean + margin))
}
