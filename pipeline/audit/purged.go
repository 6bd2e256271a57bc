package audit

import (
	"context"
	"fmt"
)

// markPurged marks the events whose dead letters a person has removed, and
// accounts for these removals.
func (r *run) markPurged(ctx context.Context) error {
	if r.scope.Purged == nil {
		return nil
	}
	all, err := r.scope.Purged(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, p := range all {
		r.purged[p.Dead] += 1 + uint64(p.Hop)
		b := r.books[p.Source.Stream]
		if b == nil || p.Source.Seq > b.end {
			continue
		}
		if s := b.slots.of(p.Source.Seq); s.known() && s.stored == p.Source.Time.UnixNano() {
			s.flags |= purged
		}
	}
	return nil
}
