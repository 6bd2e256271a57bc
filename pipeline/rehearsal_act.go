package pipeline

import (
	"iter"
	"slices"
	"time"
)

// An act is one look-up of a [Rehearsal]. It is played until it makes a call, and
// goes on when that has ended.
type act struct {
	*Rehearsal
	due  time.Time // when it goes on
	goOn func() bool
	wait func(time.Time)

	number, answered uint64 // of the latest call that was refused, and of the latest that had been answered when it began

	// What comes of it.
	cleared   int
	convicted int
	charged   bool
	back      []extra
}

// begin begins a look-up, or what else takes a place of one.
func (r *Rehearsal) begin(play func(*act)) {
	a := &act{Rehearsal: r, due: r.now}
	next, _ := iter.Pull(func(yield func(struct{}) bool) { // nobody stops it but End, which plays it to its end
		a.wait = func(until time.Time) {
			a.due = until
			yield(struct{}{})
		}
		play(a)
	})
	a.goOn = func() bool {
		_, goesOn := next()
		return goesOn
	}
	r.flight = append(r.flight, a)
}

// lookUp is [Lane.work].
func (a *act) lookUp(group []extra) {
	if a.ask(group) == replyAnswered {
		return
	}
	doubted := a.number
	defer a.enter()()
	if person, found := find(a, group); found {
		a.charged = charges(a, person, doubted)
	}
}

// try is [Lane.try].
func (a *act) try(d doubt) {
	a.prove(extra{}, d.calls)
	a.stored()
	a.convicted = 1
}

// enter is [Lane.enter]: somebody works, it is only not known yet.
func (a *act) enter() (leave func()) {
	if _, latest := a.proof.numbers(); latest > 0 {
		return func() {}
	}
	for a.scouting != nil {
		a.after(a.scouting)
	}
	a.scouting = a
	a.prove(extra{}, 0)
	return func() { a.scouting = nil }
}

// after waits until another has come on.
func (a *act) after(other *act) { a.wait(other.due.Add(1)) }

// call makes a call when it is its turn.
func (a *act) call(group []extra) reply {
	for wait := a.turns.Take(a.now, a.now); wait > 0; wait = a.turns.Take(a.now, a.now) {
		a.wait(a.now.Add(wait + a.late()))
	}
	number := a.proof.begin()
	began, latest := a.proof.numbers()
	a.calls++
	a.asked += int64(len(group))
	a.wait(a.now.Add(a.latency()))
	if slices.ContainsFunc(group, func(x extra) bool { return x.refused }) {
		a.proof.refused(number)
		a.number, a.answered = began, latest
		return replyRefused
	}
	a.proof.answered(number, a.now, 0)
	return replyAnswered
}

func (a *act) ask(group []extra) reply {
	r := a.call(group)
	if r == replyAnswered {
		a.stored()
		a.cleared += len(group)
		a.met = true
	}
	return r
}

// stored waits until answers are.
func (a *act) stored() {
	if a.store > 0 {
		a.wait(a.now.Add(a.store))
	}
}

func (a *act) works() bool {
	if latest, many := a.proof.suspicious(); many {
		a.prove(extra{}, latest)
	}
	return true
}

func (a *act) give(people []extra) { a.back = append(a.back, people...) }

func (a *act) split() bool { return true }

func (a *act) latest() uint64 { return a.answered }

// prove is [Lane.prove], where somebody is known who works.
func (a *act) prove(_ extra, after uint64) bool {
	for a.proving != nil {
		a.after(a.proving)
	}
	if !a.proof.after(after) {
		a.proving = a
		a.call([]extra{{}})
		a.proving = nil
	}
	return true
}
