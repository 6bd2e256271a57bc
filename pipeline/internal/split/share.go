package split

import "math"

// memory is about how many people a Share remembers: enough that one refused
// among many thousands does not make calls small, and few enough to learn
// within some ten calls that a producer has begun to send rubbish.
const memory = 1000

// A Share estimates which share of people is refused, from those of whom it is
// known, the latest counting most. Its zero value has seen nobody and expects
// no refusals. It is not safe for concurrent use.
type Share struct{ p float64 }

// Add counts people who were answered, and people who were refused alone.
func (s *Share) Add(answered, refused int) {
	n := float64(answered + refused)
	if n == 0 {
		return
	}
	keep := math.Exp(-n / memory)
	s.p = s.p*keep + float64(refused)/n*(1-keep)
}

// Size is how many people to ask in one call, at most most. A call that is
// refused says the most where it was as likely as not, so that is the size
// while many are refused; below 0.7 % refused it is a hundred.
func (s *Share) Size(most int) int {
	if s.p*float64(most) <= math.Ln2 {
		return most
	}
	return max(1, int(math.Ln2/s.p))
}
