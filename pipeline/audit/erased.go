package audit

import (
	"context"
	"fmt"
	"slices"

	"github.com/wxenrich/wxenrich/events"
)

// markErased marks the events that were removed because of whom they were
// about, and accounts for the removal of their answers.
func (r *run) markErased(ctx context.Context) error {
	if r.scope.Erased == nil {
		return nil
	}
	all, err := r.scope.Erased(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	r.removed = make(map[string]map[uint64]struct{})
	for _, e := range all {
		if r.removed[e.Stream] == nil {
			r.removed[e.Stream] = make(map[uint64]struct{})
		}
		r.removed[e.Stream][e.Seq] = struct{}{} // who was cut off has written it down twice
		b := r.books[e.Stream]
		if e.Subject == "" || b == nil || e.Seq > b.end || !r.scope.has(e.Seq, e.Stored.UnixNano()) {
			continue
		}
		s := b.slots.of(e.Seq)
		if !s.known() {
			i := slices.IndexFunc(r.scope.Lanes, func(l Lane) bool { return l.Stream == e.Stream && slices.Contains(l.Subjects, e.Subject) })
			if i < 0 {
				continue
			}
			*s = slot{stored: e.Stored.UnixNano(), lane: uint16(i), flags: gone}
		}
		if s.stored == e.Stored.UnixNano() {
			b.erase(e.Seq)
		}
	}
	return nil
}

// erase marks one of few.
func (b *book) erase(seq uint64) {
	if b.erased == nil {
		b.erased = make(map[uint64]bool)
	}
	b.erased[seq] = true
}

// erasedFrom is how many of a stream's messages were removed so, as far as it
// reaches.
func (r *run) erasedFrom(stream string, last uint64) (n uint64) {
	for seq := range r.removed[stream] {
		if seq <= last {
			n++
		}
	}
	return n
}

// markForgotten marks the events without an answer whose person is erased. Whoever
// would answer such an event only acknowledges it.
func (r *run) markForgotten(ctx context.Context) error {
	if r.scope.Forgotten == nil {
		return nil
	}
	for _, input := range r.inputs {
		b := r.books[input]
		for seq, s := range b.slots.all() {
			if s.flags&present == 0 || s.flags&(purged|waiting) != 0 || b.erased[seq] || s.live.answered() || seq > r.lanes[s.lane].floor {
				continue
			}
			m, err := r.streams[input].GetMsg(ctx, seq)
			if err != nil {
				continue // it has left the input meanwhile
			}
			l := &r.scope.Lanes[s.lane]
			d := events.Decoder{AppID: l.AppID, Fields: l.Fields}
			e, _ := d.Decode(events.Message{
				Source: events.Source{Stream: input, Seq: seq, Time: m.Time, Subject: m.Subject}, Header: m.Header, Data: m.Data,
			})
			if e.OpenID != "" && m.Time.UnixNano() == s.stored && r.scope.Forgotten(l.AppID, e.OpenID, e.Type, m.Time) {
				b.erase(seq)
			}
		}
	}
	return nil
}
