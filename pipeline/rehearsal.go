package pipeline

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
	"github.com/wxenrich/wxenrich/pipeline/internal/split"
)

// A Rehearsal plays through which calls a job's look-ups lead to, as its lane would
// make them: the same batches, split and proven by the same rules, so many at once,
// each of a typical length. Nobody is asked, and no time passes. Where somebody is
// refused it depends on which of two calls ends first: see [Rehearsals]. Its zero
// value is not usable: see [NewRehearsal]. Whoever begins one calls End.
type Rehearsal struct {
	call   time.Duration // how long one takes
	store  time.Duration // and its answers to be stored
	size   int           // openids in one, at most
	slots  int           // look-ups at once
	window time.Duration
	rate   *pace.Intake   // nil: any number of events a second
	turns  *pace.Throttle // of calls

	now     time.Time // a clock of its own
	taken   time.Time // when the latest event was
	ended   bool      // and there is none behind it
	waiting []extra   // the open batch
	doubts  []doubt   // charged, and not yet proven: the soonest first
	ready   []doubt   // whose turn it is
	flight  []*act    // look-ups that go on

	proof    proof
	share    split.Share
	met      bool // somebody was answered for their own sake
	proving  *act // which asks for somebody who is known to work
	scouting *act // which splits a group while nobody was answered yet

	calls, asked int64

	rng    *rand.Rand    // nil: calls are of one length
	spread float64       // of its logarithm
	lags   time.Duration // in the mean, between an event and its place in a batch
}

// An extra is somebody to look up.
type extra struct {
	since   time.Time
	openid  string // in another language they take another call; empty if nobody else has it
	refused bool
}

// A doubt is a charge that waits: see [charge].
type doubt struct {
	due   time.Time
	calls uint64 // that had begun when it was brought
}

// typicalCall is how long a call takes of an account that has made none.
const typicalCall = 100 * time.Millisecond

// NewRehearsal begins with nobody looked up yet, of a job that takes so many
// events a second at most; 0 is no limit. call is how long one takes: see [Quota].
func NewRehearsal(cfg Config, rate float64, call CallTime) *Rehearsal {
	r := &Rehearsal{
		call: cmp.Or(call.Middle, typicalCall), store: call.Store, size: max(1, cfg.BatchSize), slots: max(1, cfg.Concurrency-1), window: cfg.WindowMax,
		now: time.Unix(0, 0), turns: pace.NewThrottle(cfg.Rate),
	}
	if rate > 0 {
		r.rate = pace.NewIntake(rate)
	}
	return r
}

// Event is one that the job does not leave out, whatever it leads to.
func (r *Rehearsal) Event() {
	r.untilRoom()
	r.rate.Take(r.now)
	r.taken = r.now
}

// untilRoom lets time pass until another event is taken; it joins the batch that
// closes at that moment.
func (r *Rehearsal) untilRoom() {
	for r.crowded() {
		if r.dispatch(); r.crowded() && !r.pass() {
			return
		}
	}
}

// LookUp says that somebody has to be asked for an event, once for each language. An
// openid may be empty where it occurs once.
func (r *Rehearsal) LookUp(openid string, refused bool) {
	r.waiting = append(r.waiting, extra{r.now.Add(r.lag()), openid, refused})
}

// End is when all events are taken in.
func (r *Rehearsal) End() Outlook {
	r.ended = true
	return r.rest()
}

// endUnseen is End where nothing shows that the last event was the last.
func (r *Rehearsal) endUnseen() Outlook { return r.rest() }

// endBehind is End where another event shows it, which is none of the job's.
func (r *Rehearsal) endBehind() Outlook {
	r.untilRoom()
	return r.End()
}

func (r *Rehearsal) rest() Outlook {
	for r.dispatch(); r.pass(); {
		r.dispatch()
	}
	return Outlook{r.calls, r.asked, r.calls, r.calls, r.now.Sub(time.Unix(0, 0))}
}

func (r *Rehearsal) crowded() bool { return len(r.waiting) >= r.size || !r.rate.Ready(r.now) }

// dispatch begins what can begin: see [loop.dispatch].
func (r *Rehearsal) dispatch() {
	for len(r.flight) < r.most() {
		switch {
		case len(r.ready) > 0:
			d := r.ready[0]
			r.ready = r.ready[1:]
			r.begin(func(a *act) { a.try(d) })
		case len(r.waiting) > 0 && (len(r.waiting) >= r.fit() || !r.now.Before(r.closesAt())):
			n := min(len(r.waiting), r.fit())
			group, again := splitByOpenID(r.waiting[:n])
			r.waiting = append(again, r.waiting[n:]...)
			r.begin(func(a *act) { a.lookUp(group) })
		default:
			return
		}
	}
}

// splitByOpenID keeps one openid in two languages out of one call: see [loop.apart].
func splitByOpenID(batch []extra) (group, again []extra) {
	seen := make(map[string]bool, len(batch))
	for _, x := range batch {
		if x.openid != "" && seen[x.openid] {
			again = slices.Insert(again, 0, x)
			continue
		}
		seen[x.openid] = true
		group = append(group, x)
	}
	return group, again
}

// most is how many look-ups go on at once.
func (r *Rehearsal) most() int {
	if !r.met {
		return min(strangerCalls, r.slots)
	}
	return r.slots
}

func (r *Rehearsal) fit() int { return r.share.Size(r.size) }

// closesAt is when a batch closes that is not full: see [loop.closesAt].
func (r *Rehearsal) closesAt() time.Time {
	since := r.waiting[0].since
	switch {
	case r.ended:
		return since
	case r.rate != nil:
		return r.rate.Closes(since, r.window)
	}
	quiet, long := r.taken.Add(r.window), since.Add(backlogPatience)
	if quiet.Before(long) {
		return quiet
	}
	return long
}

// pass lets time pass until something happens that the loop hears of; false if
// nothing will.
func (r *Rehearsal) pass() bool {
	ready := r.rate.Ready(r.now)
	at, next := r.next()
	for next != nil {
		r.now = latest(r.now, at)
		if !next.goOn() {
			r.flight = slices.DeleteFunc(r.flight, func(a *act) bool { return a == next })
			r.settled(next)
			return true
		}
		if !ready && r.rate.Ready(r.now) {
			return true
		}
		at, next = r.next()
	}
	if at.IsZero() {
		return false
	}
	r.now = latest(r.now, at)
	for len(r.doubts) > 0 && !r.now.Before(r.doubts[0].due) {
		r.ready = append(r.ready, r.doubts[0])
		r.doubts = r.doubts[1:]
	}
	return true
}

// next is when something happens, and to which look-up; zero for never.
func (r *Rehearsal) next() (at time.Time, of *act) {
	for _, a := range r.flight {
		if of == nil || a.due.Before(at) {
			at, of = a.due, a
		}
	}
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at, of = t, nil
		}
	}
	if len(r.doubts) > 0 {
		sooner(r.doubts[0].due)
	}
	if len(r.waiting) > 0 && len(r.flight) < r.most() {
		sooner(r.closesAt())
	}
	if !r.rate.Ready(r.now) && !r.ended {
		sooner(r.rate.Next(r.now))
	}
	return at, of
}

// settled takes what comes of a look-up: see [loop.settled].
func (r *Rehearsal) settled(a *act) {
	r.share.Add(a.cleared, a.convicted)
	if len(a.back) > 0 {
		r.waiting = append(a.back, r.waiting...)
	}
	if a.charged {
		calls, _ := r.proof.numbers()
		r.doubts = append(r.doubts, doubt{r.now.Add(proofWait), calls})
	}
	for i := range r.doubts {
		if r.proof.after(r.doubts[i].calls) {
			r.doubts[i].due = r.now
		}
	}
	slices.SortStableFunc(r.doubts, func(a, b doubt) int { return a.due.Compare(b.due) })
}
