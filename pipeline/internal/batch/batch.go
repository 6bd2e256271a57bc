// Package batch gathers work by key: as many as fit one call, each key once,
// however many wait for it.
//
// It is data only. It starts no goroutine, owns no timer and reads no clock:
// the time is an argument, so a test needs no waiting.
package batch

import "time"

// An Item is one key and everything that waits for its answer.
type Item[K comparable, V, S any] struct {
	Key     K
	Waiters []V       // in the order they came
	Since   time.Time // when the first of Waiters came
	State   S         // the caller's notes on the key; they end with the item

	parked []V  // came while the item was taken
	first  [1]V // what Waiters begins as: most keys have one
	taken  bool
	shared int32 // of all who came: those who found somebody waiting
}

func newItem[K comparable, V, S any](now time.Time, k K, v V) *Item[K, V, S] {
	it := &Item[K, V, S]{Key: k, Since: now, first: [1]V{v}}
	it.Waiters = it.first[:]
	return it
}

// A Batcher holds items in two states: open, waiting to be taken, and taken,
// being looked up. A key is in at most one item, so that one person is never
// asked twice at once. It is not safe for concurrent use.
type Batcher[K comparable, V, S any] struct {
	items  map[K]*Item[K, V, S]
	open   queue[*Item[K, V, S]]
	shared int
}

// New makes an empty Batcher.
func New[K comparable, V, S any]() *Batcher[K, V, S] {
	return &Batcher[K, V, S]{items: make(map[K]*Item[K, V, S])}
}

// Len is the number of open items.
func (b *Batcher[K, V, S]) Len() int { return b.open.len() }

// Oldest says since when the first open item waits; false if there is none.
func (b *Batcher[K, V, S]) Oldest() (time.Time, bool) {
	if b.open.len() == 0 {
		return time.Time{}, false
	}
	return b.open.front().Since, true
}

// Shared is how many of those who wait take no place in a call, because somebody
// waited for their key before them.
func (b *Batcher[K, V, S]) Shared() int { return b.shared }

// Add puts v among those who wait for key k. If k is being looked up, v waits
// for that to end: see Done.
func (b *Batcher[K, V, S]) Add(now time.Time, k K, v V) {
	it := b.items[k]
	switch {
	case it == nil:
		it = newItem[K, V, S](now, k, v)
		b.items[k] = it
		b.open.pushBack(it)
		return
	case it.taken:
		it.parked = append(it.parked, v)
	default:
		it.Waiters = append(it.Waiters, v)
	}
	it.shared++
	b.shared++
}

// Alone makes an item for v and takes it at once. It returns nil if somebody
// waits for key k already; then v waits with them.
func (b *Batcher[K, V, S]) Alone(now time.Time, k K, v V) *Item[K, V, S] {
	if b.Has(k) {
		b.Add(now, k, v)
		return nil
	}
	it := newItem[K, V, S](now, k, v)
	it.taken = true
	b.items[k] = it
	return it
}

// Has reports whether somebody waits for key k, open or taken.
func (b *Batcher[K, V, S]) Has(k K) bool {
	_, ok := b.items[k]
	return ok
}

// Take removes up to n open items, those that wait longest first. Each stays
// taken until Done or Return.
func (b *Batcher[K, V, S]) Take(n int) []*Item[K, V, S] {
	n = min(n, b.open.len())
	taken := make([]*Item[K, V, S], n)
	for i := range taken {
		taken[i] = b.open.popFront()
		taken[i].taken = true
	}
	return taken
}

// Done forgets a taken item whose waiters have their answer. It returns those
// who came in the meantime: the answer may be older than they are.
func (b *Batcher[K, V, S]) Done(it *Item[K, V, S]) []V {
	b.forget(it)
	return it.parked
}

// Return opens a taken item again, ahead of all that came later: it has no
// answer yet. Whoever was parked on it joins its waiters.
func (b *Batcher[K, V, S]) Return(it *Item[K, V, S]) {
	it.taken = false
	it.Waiters = append(it.Waiters, it.parked...)
	it.parked = nil
	b.open.pushFront(it)
}

// Drop forgets a taken item, and gives back all who waited for it.
func (b *Batcher[K, V, S]) Drop(it *Item[K, V, S]) []V {
	b.forget(it)
	return append(it.Waiters, it.parked...)
}

func (b *Batcher[K, V, S]) forget(it *Item[K, V, S]) {
	delete(b.items, it.Key)
	b.shared -= int(it.shared)
}

// Flush forgets every open item, and gives back all who waited.
func (b *Batcher[K, V, S]) Flush() []V {
	var all []V
	for _, it := range b.Take(b.open.len()) {
		all = append(all, b.Drop(it)...)
	}
	return all
}
