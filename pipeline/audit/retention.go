package audit

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxDetails is how many deletions we let the server list, some ten bytes for
// each.
const maxDetails = 1_000_000

// readDeletions marks what was deleted inside the inputs. It comes after the
// answers: an event that somebody deletes meanwhile was read, and counts.
func (r *run) readDeletions(ctx context.Context) error {
	for _, input := range r.inputs {
		b := r.books[input]
		if b.forgets {
			continue
		}
		info, err := r.streams[input].Info(ctx)
		if err != nil {
			return fmt.Errorf("audit: stream %s: %w", input, err)
		}
		b.first = max(b.first, info.State.FirstSeq)
		if info.State.NumDeleted == 0 {
			continue
		}
		if info.State.NumDeleted > maxDetails {
			r.note("%d messages were deleted inside %s, too many to list: every answer to what it does not hold counts as deleted", info.State.NumDeleted, input)
			for seq, s := range b.slots.all() {
				if s.flags&gone != 0 && seq >= b.first {
					s.flags |= deleted
				}
			}
			continue
		}
		if info, err = r.streams[input].Info(ctx, jetstream.WithDeletedDetails(true)); err != nil {
			return fmt.Errorf("audit: deletions in stream %s: %w", input, err)
		}
		unknown := 0
		for _, seq := range info.State.Deleted {
			if seq > b.end || seq < r.scope.FromSeq {
				continue
			}
			s := b.slots.of(seq)
			_, erased := r.removed[input][seq]
			if s.flags |= deleted; !s.known() && !erased {
				unknown++
			}
		}
		if unknown > 0 {
			r.note("%d messages were deleted inside %s of which no answer tells: whose they were cannot be said", unknown, input)
		}
	}
	return nil
}

// redriven is how many dead letters of a stream were removed by a redrive, as
// far as its answers were read: each hop of one stands for a letter, unless that
// still lies beside it; or by a person.
func (r *run) redriven(dead string) uint64 {
	n := r.explained[dead] + r.purged[dead]
	for _, b := range r.books {
		for _, s := range b.slots.all() {
			if s.known() && r.scope.Lanes[s.lane].Dead == dead && s.live.superseded() {
				n -= min(n, s.live.lies())
			}
		}
	}
	return n
}

// noteUntold counts what has left an input with no answer to tell of it: it may
// have expired while its account was on hold, and nobody can say any more whose
// it was. It looks from the first event of which an answer does tell.
func (r *run) noteUntold(input string, b *book) {
	var first, told uint64
	for seq, s := range b.slots.all() {
		if seq >= b.first || s.flags&gone == 0 && !b.erased[seq] || seq < r.scope.FromSeq {
			continue
		}
		if told++; first == 0 {
			first = seq
		}
	}
	switch {
	case first == 0 && (!r.scope.Since.IsZero() || !r.remembersAll(input)):
		return
	case first == 0:
		first = max(1, r.streams[input].CachedInfo().Config.FirstSeq, r.scope.FromSeq)
	}
	end := min(b.first, b.end+1)
	if end <= first+told {
		return
	}
	n := end - first - told
	r.report.Untold += n
	r.note("%d messages have left %s, between %d and %d, and no answer tells of them: events that expired or were purged unanswered, or none of these accounts'", n, input, first, end-1)
}

// remembersAll reports whether nothing that may tell of an input's events has
// been forgotten.
func (r *run) remembersAll(input string) bool {
	for i := range r.scope.Lanes {
		if r.scope.Lanes[i].Stream == input && !r.lanes[i].horizon.IsZero() {
			return false
		}
	}
	return true
}
