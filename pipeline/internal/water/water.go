// Package water keeps the marks that an account's replicas leave on their
// input stream: how far all is answered, how far anything may have been taken,
// and since when. They say which deliveries may be repeats although the server
// does not say so, and how far back to look for their answers.
//
// All is pure: marks are values, and time is an argument.
package water

import (
	"encoding/json"
	"slices"
	"time"
)

// A Mark is what is known of one input stream. The zero Mark knows nothing.
//
// Every replica raises it before it takes an event above May, so nobody has
// ever taken one above.
type Mark struct {
	Stream time.Time `json:"stream"` // when the stream was created: another one's sequences mean nothing
	Floor  uint64    `json:"floor"`  // all events up to it are answered
	May    uint64    `json:"may"`    // no event above it has been taken
	Steps  []Step    `json:"steps"`  // oldest first

	Begin time.Time `json:"begin,omitzero"` // events stored before were never asked for; zero if all are
}

// A Step is what May was until a time.
type Step struct {
	At  time.Time
	May uint64
}

// MarshalJSON writes a step as [unix seconds, sequence].
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]uint64{uint64(s.At.Unix()), s.May})
}

// UnmarshalJSON is the inverse, to the second before.
func (s *Step) UnmarshalJSON(b []byte) error {
	var pair [2]uint64
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	s.At, s.May = time.Unix(int64(pair[0]), 0), pair[1]
	return nil
}

// Raise returns the mark as it is from now on: events up to may can be taken.
// A mark of another stream is forgotten. One that knew nothing still knows
// nothing of the time before: it may have been lost.
func (m Mark) Raise(now, stream time.Time, floor, may uint64) Mark {
	if !m.Stream.Equal(stream) {
		return Mark{Stream: stream, Floor: floor, May: may}
	}
	steps := append(slices.Clone(m.Steps), Step{At: now.Truncate(time.Second), May: m.May})
	return Mark{Stream: stream, Floor: max(m.Floor, floor), May: max(m.May, may), Steps: thin(now, steps), Begin: m.Begin}
}

// Since returns the latest time that is known before which nobody had taken the
// event of that sequence; false if none is.
func (m Mark) Since(seq uint64) (time.Time, bool) {
	for _, s := range slices.Backward(m.Steps) {
		if s.May < seq {
			return s.At, true
		}
	}
	return time.Time{}, false
}

// thin keeps one step of each age between powers of two seconds, the oldest,
// and the newest of all: whatever happened a day ago is known to half a day,
// and a minute ago to half a minute.
func thin(now time.Time, steps []Step) []Step {
	age := func(s Step) int {
		n := 0
		for d := now.Sub(s.At); d >= time.Second; d /= 2 {
			n++
		}
		return n
	}
	kept := steps[:0]
	for i, s := range steps {
		if i == 0 || i == len(steps)-1 || age(kept[len(kept)-1]) != age(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

const (
	leastReserve = 1_000
	mostReserve  = 1_000_000
)

// Reserve says up to which sequence a mark is raised when an event of seq is
// about to be taken, so that it is raised once in a second or two: as far ahead
// as the stream has moved since the last raise, so long ago, at the same pace.
func Reserve(seq, last uint64, since time.Duration) uint64 {
	ahead := float64(0)
	if seq > last {
		ahead = float64(seq-last) * max(1, (2*time.Second).Seconds()/max(since.Seconds(), 0.1))
	}
	return seq + uint64(min(max(ahead, leastReserve), mostReserve))
}
