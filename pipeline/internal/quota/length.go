package quota

import (
	"math"
	"time"
)

// Lengths are how long it takes to look people up.
type Lengths struct {
	Call  Length `json:"call,omitzero"`
	Store Length `json:"store,omitzero"` // answers, after it
}

func (l Lengths) plus(o Lengths) Lengths {
	return Lengths{l.Call.plus(o.Call), l.Store.plus(o.Store)}
}

func (l Lengths) minus(o Lengths) Lengths {
	return Lengths{l.Call.minus(o.Call), l.Store.minus(o.Store)}
}

func (l Lengths) lately() Lengths { return Lengths{l.Call.lately(), l.Store.lately()} }

// lengthMemory is of how many times a [Length] is, at most.
const lengthMemory = 200

// Length is how long something takes, the latest times counting most. It is kept of
// the logarithms of their seconds: one that hangs says little of the others. Its
// zero value has seen none.
type Length struct {
	Times   float64 `json:"times"`
	Logs    float64 `json:"logs"`    // their sum
	Squares float64 `json:"squares"` // the sum of their squares
}

// shortest keeps what takes no time, as a call to a simulator may, from being
// infinitely short.
const shortest = 100 * time.Microsecond

func lengthOf(d time.Duration) Length {
	log := math.Log(max(d, shortest).Seconds())
	return Length{1, log, log * log}
}

func (l Length) plus(o Length) Length {
	return Length{l.Times + o.Times, l.Logs + o.Logs, l.Squares + o.Squares}
}

func (l Length) minus(o Length) Length {
	if l.Times <= o.Times {
		return Length{}
	}
	return Length{l.Times - o.Times, l.Logs - o.Logs, l.Squares - o.Squares}
}

// lately is l as of fewer calls, if it is of many.
func (l Length) lately() Length {
	if l.Times <= lengthMemory {
		return l
	}
	part := lengthMemory / l.Times
	return Length{lengthMemory, l.Logs * part, l.Squares * part}
}

// typical is how long it takes in the middle, 0 if that is not known, and the
// standard deviation of its logarithm.
func (l Length) typical() (middle time.Duration, spread float64) {
	if l.Times <= 0 {
		return 0, 0
	}
	mean := l.Logs / l.Times
	return time.Duration(math.Exp(mean) * float64(time.Second)), math.Sqrt(max(0, l.Squares/l.Times-mean*mean))
}
