package pace

// A Stride bounds how many calls are in flight to those whose answers are worked
// off as they come: what more of them bring only waits, and takes memory. An
// answer that had to wait takes one away, one that had not gives one back, so that
// half of them wait when there is more to do than can be done, and whoever stores
// them is never idle.
//
// It is not safe for concurrent use, and reads no clock.
type Stride struct{ least, most, now int }

// NewStride allows most calls at once, and never fewer than least.
func NewStride(least, most int) Stride { return Stride{min(least, most), most, most} }

// Limit is how many calls may be in flight.
func (s *Stride) Limit() int { return s.now }

// Stored takes an answer that is stored, and whether it had to wait for its turn.
func (s *Stride) Stored(waited bool) {
	if waited {
		s.now = max(s.least, s.now-1)
	} else {
		s.now = min(s.most, s.now+1)
	}
}
