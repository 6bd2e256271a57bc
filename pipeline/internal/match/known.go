package match

import (
	"hash/maphash"
	"sync"
)

// knownMax is how many people each half of a Known holds; in full it takes less
// than 5 MB, and for few people next to nothing.
const knownMax = 1 << 16

// Known remembers the unionids of people who were answered, as hashes: a
// person's unionid does not change, unless the account is bound elsewhere, so
// another one is a sign that a batch is mixed up. It forgets in halves, those
// who were answered longest ago. The zero value knows nobody. It is safe for
// concurrent use.
type Known struct {
	mu          sync.Mutex
	now, before map[uint64]uint64 // unionids by openid
}

// seed is the process's own: nobody can choose openids that collide.
var seed = maphash.MakeSeed()

// Learn remembers the unionid of a person whose answer is believed.
func (k *Known) Learn(openid, unionid string) {
	who, what := maphash.String(seed, openid), maphash.String(seed, unionid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil || len(k.now) >= knownMax {
		k.before, k.now = k.now, make(map[uint64]uint64)
	}
	k.now[who] = what
}

// Compare reports whether the person is known, and if so, with this unionid.
func (k *Known) Compare(openid, unionid string) (same, known bool) {
	who := maphash.String(seed, openid)
	k.mu.Lock()
	what, known := k.now[who]
	if !known {
		what, known = k.before[who]
	}
	k.mu.Unlock()
	return known && what == maphash.String(seed, unionid), known
}
