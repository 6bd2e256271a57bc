package audit

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// readPartly reports whether redrives may account for dead letters of a stream
// whose answers were not read: those of other accounts, or of events before the
// range.
func (r *run) readPartly(dead string) bool {
	if r.partly[dead] || r.strange {
		return true
	}
	for i := range r.scope.Lanes {
		if l := &r.scope.Lanes[i]; l.Dead == dead && r.partly[l.Output] {
			return true
		}
	}
	return false
}

// lacking reports whether an event lacks an answer, so that it matters what a
// stream of answers has forgotten.
func (r *run) lacking() bool {
	for _, b := range r.books {
		for seq, s := range b.slots.all() {
			if s.flags&present != 0 && s.flags&(purged|replayed|waiting) == 0 && !s.live.answered() && !b.erased[seq] && seq <= r.lanes[s.lane].floor {
				return true
			}
		}
	}
	return false
}

// allRedriven is redriven, by all that the stream and the outputs beside it hold,
// whoever it is of: the streams are read once more, to their ends.
func (r *run) allRedriven(ctx context.Context, dead string) (n uint64, err error) {
	seed := maphash.MakeSeed()
	letters := map[uint64]cell{} // of events that have some
	visit := func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
		a, ok := parseAnswer(m.Headers())
		if !ok {
			return true
		}
		if i, ours := r.byAppID[[2]string{a.src.Stream, a.appid}]; ours && r.scope.Lanes[i].Dead != dead {
			return true
		}
		n += uint64(a.hop)
		event := maphash.Comparable(seed, struct {
			stream string
			seq    uint64
			replay string
		}{a.src.Stream, a.src.Seq, a.replay})
		c, met := letters[event]
		if a.dead || met {
			c.add(&a)
			letters[event] = c
		}
		return true
	}
	names := []string{dead}
	for i := range r.scope.Lanes {
		if l := &r.scope.Lanes[i]; l.Dead == dead {
			names = append(names, l.Output)
		}
	}
	slices.Sort(names[1:])
	for _, name := range slices.Compact(names) { // the letters first
		info, err := r.streams[name].Info(ctx)
		if err != nil {
			return 0, fmt.Errorf("audit: stream %s: %w", name, err)
		}
		if err := r.scan(ctx, scan.Span{Stream: name, End: info.State.LastSeq}, visit); err != nil {
			return 0, err
		}
	}
	for _, c := range letters {
		if c.superseded() {
			n -= min(n, c.lies())
		}
	}
	return n + r.purged[dead], nil
}
