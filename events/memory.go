package events

import "sync"

// eventKey is what makes two records the answer to the same thing.
type eventKey struct{ appid, id, replay string }

// known says what a memory knows of an event.
type known uint8

const (
	unknown known = iota
	inHand
	handled
)

// memory knows the last events that were handled, and those in hand.
type memory struct {
	mu    sync.Mutex
	state map[eventKey]known
	ring  []eventKey // of the handled, the oldest at next once it is full
	next  int
	size  int
}

func newMemory(size int) *memory { return &memory{state: make(map[eventKey]known), size: size} }

// begin says what is known of an event, and takes an unknown one in hand.
func (m *memory) begin(key eventKey) known {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.state[key]
	if was == unknown {
		m.state[key] = inHand
	}
	return was
}

// end puts an event out of hand: handled, or unknown again.
func (m *memory) end(key eventKey, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !ok {
		delete(m.state, key)
		return
	}
	m.state[key] = handled
	if len(m.ring) < m.size {
		m.ring = append(m.ring, key)
		return
	}
	delete(m.state, m.ring[m.next])
	m.ring[m.next] = key
	m.next = (m.next + 1) % m.size
}
