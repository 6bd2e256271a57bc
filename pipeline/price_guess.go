package pipeline

import "math"

// guesses are what may become of people whom nobody has looked up yet: as many of
// them are refused as of the others, and, if anybody was, fewer or more by chance.
type guesses struct {
	past   *past
	served bool    // whoever is not refused takes no call, for they have an answer
	fresh  float64 // people of whom nobody knows
	all    []guess // the likely one first
}

type guess struct {
	*Rehearsals
	deviations float64 // from what is likely, in standard ones
	refused    float64 // of the fresh ones, so far
}

// refusals are the guesses in which somebody is refused, a bit for each.
type refusals uint8

func (r refusals) in(i int) bool { return r>>i&1 == 1 }

func (r refusals) likely() bool { return r.in(0) }

// always is somebody who was refused before.
const always = ^refusals(0)

func newGuesses(past *past, cfg Config, rate float64, call CallTime, served bool) *guesses {
	g := &guesses{past: past, served: served}
	for _, deviations := range []float64{0, -2, 2} {
		g.all = append(g.all, guess{NewRehearsals(cfg, rate, call), deviations, 0})
		if past.share == 0 {
			break // they are one
		}
	}
	return g
}

// meet says in which guesses somebody is refused who was not met before.
func (g *guesses) meet(known, fresh bool) (r refusals) {
	if fresh {
		g.fresh++
	}
	for i := range g.all {
		x := &g.all[i]
		owed := g.due(x.deviations) - x.refused
		switch {
		case known && fresh:
			x.refused += max(0, min(1, owed)) // they are part of the share
		case !known && fresh && owed >= 1:
			x.refused++
			r |= 1 << i
		}
	}
	if known {
		return always
	}
	return r
}

// due is how many of the fresh ones are refused by now. Their number varies, and
// so does the share, which is known of so many.
func (g *guesses) due(deviations float64) float64 {
	share, n := g.past.share, g.fresh
	deviation := math.Sqrt(share * (1 - share) * (n + n*n/max(1, g.past.answers)))
	return share*n + deviations*deviation
}

func (g *guesses) event() {
	for _, x := range g.all {
		x.Event()
	}
}

func (g *guesses) lookUp(openid string, r refusals) {
	for i, x := range g.all {
		if !g.served || r.in(i) {
			x.LookUp(openid, r.in(i))
		}
	}
}

func (g *guesses) end(end func(*Rehearsal) Outlook) Outlook {
	o := g.all[0].endBy(end)
	for _, x := range g.all[1:] {
		other := x.endBy(end)
		o.Least, o.Most = min(o.Least, other.Least), max(o.Most, other.Most)
	}
	return o
}
