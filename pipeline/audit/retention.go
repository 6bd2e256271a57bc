package audit

import (
	"context"
	"fmt"

	"time"

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

// readHorizons finds since when each lane's answers are all still there. It
// comes after the answers were read, since streams forget meanwhile.
func (r *run) readHorizons(ctx context.Context) error {
	type memory struct{ from, born time.Time }
	done := map[string]memory{}
	for i := range r.scope.Lanes {
		l := &r.scope.Lanes[i]
		for _, name := range []string{l.Output, l.Dead} {
			m, ok := done[name]
			if !ok {
				info, err := r.streams[name].Info(ctx)
				if err != nil {
					return fmt.Errorf("audit: stream %s: %w", name, err)
				}
				m = memory{r.horizon(info, name == l.Dead && name != l.Output), info.Created}
				done[name] = m
			}
			at := m.from
			if r.lanes[i].life.Before(m.born) && m.born.After(at) {
				at = m.born
			}
			if at.After(r.lanes[i].horizon) {
				r.lanes[i].horizon = at
			}
		}
		r.report.Lanes[i].VerifiableFrom = r.lanes[i].horizon
	}
	return nil
}

// horizon is the time from which on a stream holds every answer to events
// stored since: an answer is never stored before its event. Zero is for ever.
func (r *run) horizon(info *jetstream.StreamInfo, dead bool) time.Time {
	cfg, state := info.Config, info.State
	if cfg.MaxMsgsPerSubject > 0 || cfg.Retention != jetstream.LimitsPolicy {
		r.doubt("stream %s drops answers that are overwritten or consumed: what is unanswered cannot be verified", cfg.Name)
		return r.begun
	}
	removed := state.LastSeq - state.Msgs - (max(cfg.FirstSeq, 1) - 1)
	erased := r.erasedFrom(cfg.Name, state.LastSeq)
	removed -= min(removed, erased)
	if dead {
		removed -= min(removed, r.redriven(cfg.Name))
		if removed > 0 {
			r.doubt("%d dead letters have left %s without a redrive that we know of: what is missing may have been among them", removed, cfg.Name)
		}
	} else if n := uint64(state.NumDeleted); n > erased {
		r.doubt("%d messages were deleted inside %s: what is missing may have been among them", n-erased, cfg.Name)
	}
	switch {
	case removed == 0 || state.FirstSeq <= max(cfg.FirstSeq, 1) && state.Msgs > 0:
		return time.Time{}
	case state.Msgs > 0:
		return state.FirstTime
	case state.LastTime.IsZero():
		return r.begun
	}
	return state.LastTime.Add(1)
}

// redriven is how many dead letters of a stream were removed by a redrive: each
// hop of an answer stands for one, unless that one still lies beside it.
func (r *run) redriven(dead string) uint64 {
	n := r.explained[dead]
	for _, b := range r.books {
		for _, s := range b.slots.all() {
			if s.known() && r.scope.Lanes[s.lane].Dead == dead && s.live.superseded() {
				n -= min(n, uint64(s.live.letterHop)+uint64(min(1, s.live.records)))
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

// explain notes what stands behind events without an answer.
func (r *run) explain() {
	if sum := r.report.Sum(); sum.Missing > 0 || sum.Unverifiable > 0 {
		r.report.Notes = append(r.report.Notes, r.doubts...)
	}
	for i := range r.report.Lanes {
		if b := &r.report.Lanes[i]; b.Unverifiable > 0 {
			r.note("account %s: events stored before %s cannot be verified: %s or %s no longer holds what may have answered them",
				b.AppID, b.VerifiableFrom.UTC().Format(time.RFC3339Nano), r.scope.Lanes[i].Output, r.scope.Lanes[i].Dead)
		}
	}
}
