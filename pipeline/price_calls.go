package pipeline

import (
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/split"
)

// A Rehearsal plays through which calls a job's look-ups lead to, batch by batch
// as its lane would ask for them: full ones, unless the job's rate fills none
// within the window, and split where somebody in them is refused. Nobody is
// asked. Its zero value is not usable: see [NewRehearsal].
type Rehearsal struct {
	size    int           // openids in a call, at most
	abreast int           // calls in flight
	gap     time.Duration // between events; 0: nothing bounds them
	window  time.Duration // in which what comes at a rate shares a call

	now, since time.Duration // the time of an event, and of the first who waits
	waiting    []bool        // who waits for a call: whether they are refused
	flight     []scene       // calls in flight
	clock      int           // in the length of a call
	share      split.Share
	row        int  // refused calls since the last that was answered
	proofs     int  // calls that were answered
	charged    bool // somebody is refused, and nobody was answered since
	chargedAt  time.Duration
	at         time.Duration // of a call
	calls      int64
	asked      int64
}

// scene is a batch that is looked up, with what its splitting takes.
type scene struct {
	ends    int // by the clock
	cleared int
	refused int    // found: one at most
	unknown []bool // to be asked again
}

// NewRehearsal begins with nobody looked up yet, of a job that takes so many
// events a second at most; 0 is no limit.
func NewRehearsal(cfg Config, rate float64) *Rehearsal {
	r := &Rehearsal{size: max(1, cfg.BatchSize), abreast: max(1, cfg.Concurrency-1), window: cfg.WindowMax}
	if rate > 0 {
		r.gap, r.abreast = time.Duration(float64(time.Second)/rate), 1
	}
	return r
}

// Event is one that the job does not leave out, whatever it leads to.
func (r *Rehearsal) Event() {
	if r.now += r.gap; r.gap == 0 {
		return
	}
	if len(r.waiting) > 0 && r.now > r.since+r.window { // who comes at the last moment is taken along
		r.wait(r.since + r.window)
		r.ask(true)
	}
	r.wait(r.now)
}

// wait lets it become so late: whoever is charged is proven by somebody who is known
// to work if nobody else is answered meanwhile.
func (r *Rehearsal) wait(until time.Duration) {
	if r.at = until; r.charged && until-r.chargedAt >= proofWait {
		r.prove()
	}
}

// LookUp is an event that somebody has to be asked for.
func (r *Rehearsal) LookUp(refused bool) {
	if len(r.waiting) == 0 {
		r.since = r.now
	}
	if r.waiting = append(r.waiting, refused); len(r.waiting) >= r.share.Size(r.size) {
		r.ask(r.gap > 0)
	}
}

// End is when all events are taken in. It says how many calls were made, and of
// how many openids, each as often as it was asked for.
func (r *Rehearsal) End() (calls, asked int64) {
	for len(r.waiting)+len(r.flight) > 0 {
		if len(r.waiting) == 0 {
			r.land()
			continue
		}
		if r.gap > 0 {
			r.wait(r.since + r.window)
		}
		r.ask(r.gap > 0)
	}
	if r.charged {
		r.prove() // nobody else comes whose answer would
	}
	return r.calls, r.asked
}

// ask makes a call for those who have waited longest, and waits for what comes of
// it, if it is to.
func (r *Rehearsal) ask(wait bool) {
	for len(r.flight) >= r.abreast {
		r.land()
	}
	n := min(len(r.waiting), r.share.Size(r.size))
	group := slices.Clone(r.waiting[:n])
	r.waiting = r.waiting[n:]
	before := r.calls
	s := r.look(group)
	s.ends = r.clock + int(r.calls-before)
	r.flight = append(r.flight, s)
	if r.since = r.now; !wait {
		return
	}
	if r.land(); len(s.unknown) > 0 { // who has waited for so long already waits no more
		r.ask(true)
	}
}

// land takes the outcome of the call that ends first.
func (r *Rehearsal) land() {
	first := 0
	for i, s := range r.flight {
		if s.ends < r.flight[first].ends {
			first = i
		}
	}
	s := r.flight[first]
	r.flight = slices.Delete(r.flight, first, first+1)
	r.clock = s.ends
	r.share.Add(s.cleared, s.refused)
	r.waiting = append(s.unknown, r.waiting...)
}

// look looks one batch up.
func (r *Rehearsal) look(group []bool) (s scene) {
	if !r.refuses(group) {
		s.cleared = len(group)
		return s
	}
	halves := split.New(group)
	before, sure := r.proofs, len(r.flight) > 0 // whose answers count as well
	if r.proofs == 0 {
		r.prove() // see enter
	}
	for half := halves.Ask(); half != nil; half = halves.Ask() {
		if r.row >= burst {
			r.prove() // see heard
		}
		answered := r.proofs > before
		if r.refuses(half) {
			s.unknown = append(s.unknown, halves.Refused()...)
			sure = sure || answered
			continue
		}
		s.cleared += len(half)
		halves.Answered()
	}
	if _, inferred := halves.Leaf(); inferred {
		r.refuses(halves.Rest())
		sure = true
	}
	if !sure { // see leaf
		if r.proofs == before {
			r.prove()
		}
		r.refuses([]bool{true})
	}
	s.refused, r.charged, r.chargedAt = 1, true, r.at
	return s
}

// prove asks for somebody who is known to work.
func (r *Rehearsal) prove() { r.refuses([]bool{false}) }

// refuses is one call.
func (r *Rehearsal) refuses(group []bool) bool {
	r.calls++
	r.asked += int64(len(group))
	if !slices.Contains(group, true) {
		r.row, r.charged = 0, false
		r.proofs++
		return false
	}
	r.row++
	return true
}
