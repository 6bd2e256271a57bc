package pipeline

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// fullJitter waits a random part of a bound that doubles with every failure:
// replicas that failed together must not come back together. It has no limit
// on attempts; who uses it decides when it is enough.
type fullJitter struct {
	initial, max time.Duration
	rand         func() float64 // in [0, 1)

	bound time.Duration
	wish  time.Duration // what the server asked for, for the next wait only
}

var _ backoff.BackOff = (*fullJitter)(nil)

func newBackOff(initial, max time.Duration, rand func() float64) *fullJitter {
	return &fullJitter{initial: initial, max: max, rand: rand, bound: initial}
}

// NextBackOff is the next wait, never shorter than the server's wish.
func (b *fullJitter) NextBackOff() time.Duration {
	wait := time.Duration(b.rand() * float64(b.bound))
	wait = max(wait, b.wish)
	b.wish = 0
	b.bound = min(2*b.bound, b.max)
	return wait
}

// Reset begins again with the first bound.
func (b *fullJitter) Reset() { b.bound, b.wish = b.initial, 0 }

// sleep waits for d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
