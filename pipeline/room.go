package pipeline

import "sync"

// room is what live traffic leaves of an account's calls in flight. Live
// look-ups never wait for bulk ones: these keep away while live traffic has a
// backlog, and else begin in slots that are free, leaving one if there are
// several. A single bulk call always finds room, or early live calls, which are
// a luxury, would keep it out for ever.
type room struct {
	mu      sync.Mutex
	slots   int
	live    int           // calls in flight
	bulk    int           //
	crowded bool          // live traffic has a backlog
	freed   chan struct{} // there may be room again
}

func newRoom(slots int) *room { return &room{slots: slots, freed: make(chan struct{}, 1)} }

// enter takes a slot; bulk work has asked before whether there is one.
func (r *room) enter(bulk bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bulk {
		r.bulk++
	} else {
		r.live++
	}
}

// leave gives a slot back.
func (r *room) leave(bulk bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bulk {
		r.bulk--
	} else {
		r.live--
	}
	wake(r.freed)
}

// crowd notes whether live traffic has a backlog.
func (r *room) crowd(crowded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crowded && !crowded {
		wake(r.freed)
	}
	r.crowded = crowded
}

// spare reports whether a bulk call may begin.
func (r *room) spare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.crowded && (r.bulk == 0 || r.live+r.bulk < r.slots-1)
}
