package pipeline

import "github.com/wxenrich/wxenrich/pipeline/internal/split"

// reply is what comes of a call.
type reply uint8

const (
	replyNone     reply = iota // it says nothing of anybody
	replyAnswered              //
	replyRefused               // somebody in it made it fail
)

// A seeker makes the calls that it takes to find out who made WeChat refuse a
// group: a lane asks, a [Rehearsal] only counts. Which calls these are is decided
// in one place for both, or a price would be of something else than what is done.
type seeker[T any] interface {
	// ask asks for people in one call. Who is answered, or fails, needs no more.
	ask(people []T) reply
	// works reports whether to go on: somebody who is known to work has been
	// asked for if that is not certain.
	works() bool
	// give takes those back of whom nothing is known any more.
	give(people []T)
	// split is told that half a group is of no more interest; it may end the search.
	split() bool
	// latest is the number of the latest call that had been answered when that of
	// the last ask began.
	latest() uint64
	// prove reports whether the account works for a call that begins after so
	// many others; if not, what becomes of the person is seen to.
	prove(person T, after uint64) bool
}

// find finds the one in a refused group who is refused alone. It reports false if
// nobody is, or that cannot be told now.
func find[T any](s seeker[T], group []T) (person T, found bool) {
	halves := split.New(group)
	for half := halves.Ask(); half != nil; half = halves.Ask() {
		if !s.works() {
			s.give(halves.Rest())
			return person, false
		}
		switch s.ask(half) {
		case replyAnswered:
			halves.Answered()
		case replyRefused:
			if s.give(halves.Refused()); !s.split() {
				s.give(halves.Rest())
				return person, false
			}
		default:
			s.give(halves.Rest()[len(half):])
			return person, false
		}
	}
	person, inferred := halves.Leaf()
	return person, !inferred || s.ask([]T{person}) == replyRefused
}

// charges reports whether somebody who was refused alone is charged with it. It is
// theirs, and not the account's, only if the account answered somebody on both
// sides of that call: a token may be set right, or wrong, in the middle of a
// search. As a rule one of the others was answered on the way here, and the batch
// that the rest of them joins answers afterwards. doubted is how many calls had
// begun when the first was refused.
func charges[T any](s seeker[T], person T, doubted uint64) bool {
	if s.latest() > doubted {
		return true
	}
	return s.prove(person, doubted) && s.ask([]T{person}) == replyRefused
}
