// Package ring keeps the latest entries in a bounded amount of memory, without
// anything in them that a garbage collector would have to look at: bytes in a few
// large chunks, and a map of numbers to where they are.
package ring

import (
	"encoding/binary"
	"hash/maphash"
)

const (
	// chunkSize is how much memory is taken at once, and how much is forgotten:
	// so little that a ring for few entries is small.
	chunkSize = 64 << 10
	// perEntry is what an entry takes in the map.
	perEntry = 40
	// bought is how much memory an entry that is asked for earns, in entries of its
	// own size: what is asked for again is worth keeping for longer.
	bought = 8
	// header is what an entry has before its key: its hash, and how long its
	// key and its value are.
	header = 8 + 4 + 4
	// ghostShare is of how many forgotten entries one is noted, and ghostSpace how
	// many bytes of the ring's bound there are for each entry that it may hold.
	ghostShare, ghostSpace = 16, 512
)

// A Ring maps keys to values, both bytes. When it is full it forgets those that
// were put longest ago. It takes a quarter of its bound at most until somebody
// finds something in it, or looks for what a larger one would still have, and
// grows with each of these: entries that nobody comes back for are not worth the
// memory. It is not safe for concurrent use.
type Ring struct {
	max    int // bytes
	may    int // bytes, of max: what it may take so far
	used   int // of chunks
	seed   maphash.Seed
	places map[uint64]place // by hash: of two keys that share one the later is known
	chunks [][]byte         // the oldest first
	first  uint32           // number of the first of them
	ghosts []uint64         // hashes of some entries that were forgotten, each in its place
}

type place struct{ chunk, offset uint32 }

// New makes a ring that takes up to about so many bytes.
func New(bytes int) *Ring {
	return &Ring{max: bytes, may: bytes / 4, seed: maphash.MakeSeed(), places: make(map[uint64]place), ghosts: make([]uint64, 1+bytes/ghostSpace/ghostShare)}
}

// Put keeps a value under a key, in place of an earlier one.
func (r *Ring) Put(key, value []byte) {
	chunk := r.room(header + len(key) + len(value))
	if chunk == nil {
		return
	}
	hash := maphash.Bytes(r.seed, key)
	r.places[hash] = place{r.first + uint32(len(r.chunks)-1), uint32(len(*chunk))}
	b := binary.LittleEndian.AppendUint64(*chunk, hash)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	*chunk = append(append(b, key...), value...)
}

// room is a chunk to which n bytes can be added; nil if they are more than the
// ring holds at all.
func (r *Ring) room(n int) *[]byte {
	if n+perEntry > r.max {
		return nil
	}
	if last := len(r.chunks) - 1; last >= 0 && len(r.chunks[last])+n <= cap(r.chunks[last]) {
		return &r.chunks[last]
	}
	size := max(n, min(chunkSize, r.max/8))
	var again []byte
	for len(r.chunks) > 0 && r.used+len(r.places)*perEntry+size > r.may {
		if freed := r.forget(); cap(freed) == size {
			again = freed
		}
	}
	if again == nil {
		again = make([]byte, 0, size)
	}
	r.used += size
	r.chunks = append(r.chunks, again)
	return &r.chunks[len(r.chunks)-1]
}

// forget drops the oldest chunk, and returns its memory.
func (r *Ring) forget() []byte {
	oldest := r.chunks[0]
	for at := 0; at < len(oldest); {
		hash, key, value := entry(oldest[at:])
		if r.places[hash] == (place{r.first, uint32(at)}) {
			delete(r.places, hash)
			if hash%ghostShare == 0 {
				*r.ghost(hash) = hash
			}
		}
		at += header + len(key) + len(value)
	}
	r.chunks[0] = nil
	r.chunks, r.first = r.chunks[1:], r.first+1
	r.used -= cap(oldest)
	return oldest[:0]
}

// Get returns the value under a key, which is valid until the next Put; nil if
// there is none.
func (r *Ring) Get(key []byte) []byte {
	hash := maphash.Bytes(r.seed, key)
	at, ok := r.places[hash]
	if !ok {
		if g := r.ghost(hash); *g == hash && hash != 0 {
			*g = 0
			r.earn(ghostShare * ghostSpace)
		}
		return nil
	}
	_, have, value := entry(r.chunks[at.chunk-r.first][at.offset:])
	if string(have) != string(key) {
		return nil
	}
	r.earn(header + len(key) + len(value) + perEntry)
	return value
}

// earn lets the ring grow for bytes that are worth keeping.
func (r *Ring) earn(bytes int) { r.may = min(r.max, r.may+bought*bytes) }

// ghost is where an entry's hash is noted once the entry is forgotten.
func (r *Ring) ghost(hash uint64) *uint64 {
	return &r.ghosts[hash/ghostShare%uint64(len(r.ghosts))]
}

// Delete forgets all entries that drop says, and blanks their values.
func (r *Ring) Delete(drop func(key, value []byte) bool) {
	for hash, at := range r.places {
		if _, key, value := entry(r.chunks[at.chunk-r.first][at.offset:]); drop(key, value) {
			clear(value)
			delete(r.places, hash)
		}
	}
}

// entry reads the entry at the beginning of b.
func entry(b []byte) (hash uint64, key, value []byte) {
	hash = binary.LittleEndian.Uint64(b)
	k := header + int(binary.LittleEndian.Uint32(b[8:]))
	v := k + int(binary.LittleEndian.Uint32(b[12:]))
	return hash, b[header:k:k], b[k:v:v]
}
