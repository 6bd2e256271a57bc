package match

import (
	"hash/maphash"
	"sync"
)

// knownMax is how many people each half of a Known holds: in full it takes 1.6 MB,
// and for few people next to nothing.
const knownMax = 3 << 14

// Known remembers the unionids of people who were answered, as hashes: a
// person's unionid does not change, unless the account is bound elsewhere, so
// another one is a sign that a batch is mixed up. It forgets in halves, those
// who were answered longest ago. The zero value knows nobody. It is safe for
// concurrent use.
type Known struct {
	mu          sync.Mutex
	now, before half
}

// half is a hash table without pointers, of three quarters at most: a Go map
// takes three times as much.
type half struct {
	who  []uint64 // hashes of openids; 0 is nobody's
	what []uint32 // of their unionids
	n    int
}

// seed is the process's own: nobody can choose openids that collide.
var seed = maphash.MakeSeed()

// hashes are never 0 for an openid.
func hashes(openid, unionid string) (who uint64, what uint32) {
	return max(1, maphash.String(seed, openid)), uint32(maphash.String(seed, unionid))
}

// Learn remembers the unionid of a person whose answer is believed.
func (k *Known) Learn(openid, unionid string) {
	who, what := hashes(openid, unionid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.n >= knownMax {
		k.before, k.now = k.now, k.before
		clear(k.now.who)
		k.now.n = 0
	}
	k.now.put(who, what)
}

// Compare reports whether the person is known, and if so, with this unionid.
func (k *Known) Compare(openid, unionid string) (same, known bool) {
	who, what := hashes(openid, unionid)
	k.mu.Lock()
	defer k.mu.Unlock()
	had, known := k.now.get(who)
	if !known {
		had, known = k.before.get(who)
	}
	return known && had == what, known
}

func (h *half) get(who uint64) (what uint32, known bool) {
	if h.n == 0 {
		return 0, false
	}
	i := h.place(who)
	return h.what[i], h.who[i] == who
}

func (h *half) put(who uint64, what uint32) {
	if 4*(h.n+1) > 3*len(h.who) {
		h.grow()
	}
	i := h.place(who)
	if h.who[i] == 0 {
		h.n++
	}
	h.who[i], h.what[i] = who, what
}

// place is where who is, or would be put.
func (h *half) place(who uint64) int {
	mask := len(h.who) - 1
	i := int(who) & mask
	for h.who[i] != 0 && h.who[i] != who {
		i = (i + 1) & mask
	}
	return i
}

func (h *half) grow() {
	old := *h
	size := max(64, 2*len(old.who))
	*h = half{who: make([]uint64, size), what: make([]uint32, size)}
	for i, who := range old.who {
		if who != 0 {
			h.put(who, old.what[i])
		}
	}
}
