package push

import (
	"crypto/sha256"
	"sync"
	"time"
)

// guard remembers under which body a plain push's signature was first seen.
// It knows of two periods, each as long as a timestamp is taken, so that one is
// remembered at least for as long as it is of use. It is safe for concurrent use.
type guard struct {
	period time.Duration

	mu       sync.Mutex
	began    time.Time // of the present period
	now, old map[string]digest
}

type digest [16]byte

// maxGuarded bounds a period's memory to some 10 MB. It takes that many pushes
// with a valid signature to end a period early.
const maxGuarded = 1 << 16

// first reports whether no other body came under this signature.
func (g *guard) first(signature string, body []byte, at time.Time) bool {
	sum := sha256.Sum256(body)
	d := digest(sum[:])
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil || at.Sub(g.began) > g.period || len(g.now) >= maxGuarded {
		g.old, g.now, g.began = g.now, make(map[string]digest), at
	}
	if seen, ok := g.now[signature]; ok {
		return seen == d
	}
	if seen, ok := g.old[signature]; ok {
		return seen == d
	}
	g.now[signature] = d
	return true
}
