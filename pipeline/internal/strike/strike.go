// Package strike keeps book of events that were in hand when a process died,
// so that the one that kills can be told from those that were near it.
//
// A crash that can be caught strikes the events that were being handled. One
// that cannot (memory, the stack, a signal) strikes those whose handling was
// written down before it began: they are still open, by a process that is gone.
//
// All is pure: a Book is a value, and whoever asks says who they are.
package strike

import (
	"encoding/json"
	"slices"
	"time"
)

// Limit is in how many crashes an event may have been in hand until it is
// taken for their cause.
const Limit = 3

// most bounds a Book: some 100 KB.
const most = 1000

// An ID says which event of the input stream: a sequence may be used again.
type ID struct {
	Seq    uint64
	Stored time.Time
}

// An Entry is what is known of one event.
type Entry struct {
	Seq    uint64    `json:"seq"`
	Stored time.Time `json:"stored"`
	Times  int       `json:"times"`        // in how many crashes it was in hand
	By     string    `json:"by,omitempty"` // who has begun to handle it since, and has not come to an end
}

// A Book is what is known of the events of one durable. The zero Book is empty.
// It is not safe for concurrent use while it is changed.
type Book struct {
	entries map[key]Entry
}

type key struct {
	seq    uint64
	stored int64
}

func (id ID) key() key { return key{id.Seq, id.Stored.UnixNano()} }

// Len is how many events are in the book.
func (b *Book) Len() int { return len(b.entries) }

// Times is in how many crashes an event was in hand, as me sees it: what
// somebody else has begun and that comes to me was ended by a crash. A process
// that only stood still is taken for dead, too; it takes three to judge.
func (b *Book) Times(id ID, me string) int {
	e := b.entries[id.key()]
	if e.By != "" && e.By != me {
		return e.Times + 1
	}
	return e.Times
}

// Open notes that me begins to handle events.
func (b *Book) Open(ids []ID, me string) {
	for _, id := range ids {
		b.set(id, b.Times(id, me), me)
	}
}

// Strike notes that me dies with events in hand.
func (b *Book) Strike(ids []ID, me string) {
	for _, id := range ids {
		b.set(id, b.Times(id, me)+1, "")
	}
}

// Settle forgets events: they are answered.
func (b *Book) Settle(ids []ID) {
	for _, id := range ids {
		delete(b.entries, id.key())
	}
}

// Release notes that events were handed back in good order.
func (b *Book) Release(ids []ID) {
	for _, id := range ids {
		e, ok := b.entries[id.key()]
		if e.By = ""; e.Times == 0 {
			delete(b.entries, id.key())
		} else if ok {
			b.entries[id.key()] = e
		}
	}
}

// Prune forgets the events up to a sequence: all are answered.
func (b *Book) Prune(floor uint64) {
	for k := range b.entries {
		if k.seq <= floor {
			delete(b.entries, k)
		}
	}
}

// set does nothing if the book is full: others are as likely to be the cause.
func (b *Book) set(id ID, times int, by string) {
	k := id.key()
	if _, known := b.entries[k]; !known && len(b.entries) >= most {
		return
	}
	if b.entries == nil {
		b.entries = make(map[key]Entry)
	}
	b.entries[k] = Entry{Seq: id.Seq, Stored: id.Stored, Times: times, By: by}
}

// MarshalJSON writes the entries, in the order of the stream.
func (b *Book) MarshalJSON() ([]byte, error) {
	all := make([]Entry, 0, len(b.entries))
	for _, e := range b.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y Entry) int { return int(int64(x.Seq - y.Seq)) })
	return json.Marshal(all)
}

// UnmarshalJSON is the inverse.
func (b *Book) UnmarshalJSON(data []byte) error {
	var all []Entry
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	b.entries = make(map[key]Entry, len(all))
	for _, e := range all {
		b.entries[ID{e.Seq, e.Stored}.key()] = e
	}
	return nil
}
