package quota

import (
	"math"
	"time"
)

// lengthMemory is of how many calls a [Length] is, at most.
const lengthMemory = 200

// Length is how long calls take, the latest counting most. It is kept of the
// logarithms of their seconds: one that hangs says little of the others. Its zero
// value has seen none.
type Length struct {
	Calls   float64 `json:"calls"`
	Logs    float64 `json:"logs"`    // their sum
	Squares float64 `json:"squares"` // the sum of their squares
}

// shortest keeps a call that takes no time, as one to a simulator may, from being
// infinitely short.
const shortest = 100 * time.Microsecond

func lengthOf(d time.Duration) Length {
	log := math.Log(max(d, shortest).Seconds())
	return Length{1, log, log * log}
}

func (l Length) plus(o Length) Length {
	return Length{l.Calls + o.Calls, l.Logs + o.Logs, l.Squares + o.Squares}
}

func (l Length) minus(o Length) Length {
	if l.Calls <= o.Calls {
		return Length{}
	}
	return Length{l.Calls - o.Calls, l.Logs - o.Logs, l.Squares - o.Squares}
}

// lately is l as of fewer calls, if it is of many.
func (l Length) lately() Length {
	if l.Calls <= lengthMemory {
		return l
	}
	part := lengthMemory / l.Calls
	return Length{lengthMemory, l.Logs * part, l.Squares * part}
}

// typical is how long a call takes in the middle, 0 if there was none, and the
// standard deviation of its logarithm.
func (l Length) typical() (middle time.Duration, spread float64) {
	if l.Calls <= 0 {
		return 0, 0
	}
	mean := l.Logs / l.Calls
	return time.Duration(math.Exp(mean) * float64(time.Second)), math.Sqrt(max(0, l.Squares/l.Calls-mean*mean))
}
