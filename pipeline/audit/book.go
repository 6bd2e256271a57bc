package audit

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// slot is all that is known of one sequence of an input stream: 16 bytes.
type slot struct {
	stored int64  // unix ns
	lane   uint16 // index in Scope.Lanes
	flags  uint8
	live   cell
}

// Flags of a slot. None is set for a sequence that we know nothing of.
const (
	present  = 1 << iota // the input holds it, and it is for the lane
	gone                 // an answer tells of it
	deleted              // it was deleted inside the input
	replayed             // a replay has answered it
	counted              // one answer of a replay is counted
	repeated             // an earlier event has the same id
	waiting              // its job is not done: it needs no answer yet
	purged               // it had a dead letter, which a person has removed
)

// known reports whether the slot has a source with a time and a lane.
func (s *slot) known() bool { return s.flags&(present|gone) != 0 }

// elsewhere reports whether a slot is of an event that the input still holds,
// but not for the lane whose answer tells of it.
func (b *book) elsewhere(seq uint64, s *slot) bool {
	return s.flags&gone != 0 && seq >= b.first && s.flags&deleted == 0 && !b.erased[seq]
}

// book is what there is to know of one input stream.
type book struct {
	first, end uint64    // sequences: the stream's first, the last to look at
	born       time.Time // nothing in it is older; earlier answers are to another stream of this name
	forgets    bool      // the stream: an event is gone when it is acknowledged, and answers tell of it
	slots      pages[slot]
	replays    map[string]*pages[cell]
	erased     map[uint64]bool // removed because of whom they were about, or not answered for that
	ids        []idAt          // only with Scope.Repeats
	others     uint64          // answers to what the stream does not hold under this time, or not for these lanes
}

func (b *book) replay(id string) *pages[cell] {
	p := b.replays[id]
	if p == nil {
		p = new(pages[cell])
		if b.replays == nil {
			b.replays = make(map[string]*pages[cell])
		}
		b.replays[id] = p
	}
	return p
}

// pages is a sparse array, in pieces that are made when they are needed.
type pages[T any] struct {
	pages map[uint64]*[pageSize]T
	last  *[pageSize]T // the one used last: sequences mostly come in order
	at    uint64       // its number
}

const pageSize = 1024

// of is the place of a sequence, made if it is missing.
func (p *pages[T]) of(seq uint64) *T {
	n := seq / pageSize
	if p.last == nil || p.at != n {
		if p.pages == nil {
			p.pages = make(map[uint64]*[pageSize]T)
		}
		page := p.pages[n]
		if page == nil {
			page = new([pageSize]T)
			p.pages[n] = page
		}
		p.last, p.at = page, n
	}
	return &p.last[seq%pageSize]
}

// all yields what there is by sequence, empty places between included.
func (p *pages[T]) all() iter.Seq2[uint64, *T] {
	return func(yield func(uint64, *T) bool) {
		for _, n := range slices.Sorted(maps.Keys(p.pages)) {
			page := p.pages[n]
			for i := range page {
				if !yield(n*pageSize+uint64(i), &page[i]) {
					return
				}
			}
		}
	}
}
