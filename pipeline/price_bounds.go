package pipeline

import "github.com/wxenrich/wxenrich/pipeline/job"

// bounds are guesses of a job that may find answers: nobody has one, or everybody who
// is not refused. Neither need be the dearer: who is refused is found out among
// others, or by calls for somebody who is known to work.
type bounds []*guesses

func newBounds(past *past, cfg Config, spec job.Spec, call CallTime) bounds {
	b := bounds{newGuesses(past, cfg, spec.Rate, call, false)}
	if spec.MaxAge > 0 {
		b = append(b, newGuesses(past, cfg, spec.Rate, call, true))
	}
	return b
}

func (b bounds) event() {
	for _, g := range b {
		g.event()
	}
}

func (b bounds) meet(known, fresh bool) (r refusals) {
	for _, g := range b {
		r = g.meet(known, fresh) // all say the same
	}
	return r
}

func (b bounds) lookUp(openid string, r refusals) {
	for _, g := range b {
		g.lookUp(openid, r)
	}
}

// end is the likely outcome of the dearer, between the bounds of both.
func (b bounds) end(end func(*Rehearsal) Outlook) Outlook {
	o := b[0].end(end)
	for _, g := range b[1:] {
		other := g.end(end)
		o = Outlook{
			Calls: max(o.Calls, other.Calls), Asked: max(o.Asked, other.Asked), Lasts: max(o.Lasts, other.Lasts),
			Least: min(o.Least, other.Least), Most: max(o.Most, other.Most),
		}
	}
	return o
}
