package wechattest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Duration is a time.Duration whose JSON form is a text such as "60ms".
type Duration time.Duration

func (d Duration) std() time.Duration { return time.Duration(d) }

// MarshalText returns a text such as "60ms".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.std().String()), nil }

// UnmarshalText reads a text such as "60ms".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("duration %q: want one such as 60ms", text)
	}
	*d = Duration(v)
	return nil
}

// Latency is a distribution of waiting times: lognormal when Median is set,
// else uniform from Min to Max. The zero value is no waiting.
type Latency struct {
	Median Duration `json:"median,omitempty"`
	P99    Duration `json:"p99,omitempty"`
	Min    Duration `json:"min,omitempty"`
	Max    Duration `json:"max,omitempty"`
}

// Constant waits the same each time.
func Constant(d time.Duration) Latency { return Latency{Min: Duration(d), Max: Duration(d)} }

// Uniform waits from least to most, all equally likely.
func Uniform(least, most time.Duration) Latency {
	return Latency{Min: Duration(least), Max: Duration(most)}
}

// LogNormal waits as calls over a network do: half of them less than median,
// one in a hundred longer than p99.
func LogNormal(median, p99 time.Duration) Latency {
	return Latency{Median: Duration(median), P99: Duration(p99)}
}

func (l Latency) draw(s *Server) time.Duration {
	if l == (Latency{}) {
		return 0
	}
	if l.Median <= 0 {
		least, most := l.Min.std(), max(l.Min, l.Max).std()
		if most > least {
			s.random(func(r *rand.Rand) { least += time.Duration(r.Int64N(int64(most - least))) })
		}
		return least
	}
	const z99 = 2.3263 // the normal distribution's 99th percentile
	sigma := math.Log(float64(max(l.P99, l.Median))/float64(l.Median)) / z99
	var z float64
	s.random(func(r *rand.Rand) { z = r.NormFloat64() })
	return time.Duration(float64(l.Median) * math.Exp(sigma*z))
}
