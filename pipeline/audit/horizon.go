package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// memory is what a stream of answers still knows.
type memory struct {
	from     time.Time // every answer to what was stored since is there; zero is for ever
	why      string    // it does not reach further back
	born     time.Time // the stream
	restored bool      // from a backup, when it was born: what it had answered since then is lost, and not aged
	left     uint64    // dead letters, of a stream for them alone, that are gone without a redrive that we know of
}

// readHorizons finds since when each lane's answers are all still there. It
// comes after the answers were read, since streams forget meanwhile.
func (r *run) readHorizons(ctx context.Context) error {
	for i := range r.scope.Lanes {
		s, l := &r.scope.Lanes[i], &r.lanes[i]
		for _, name := range []string{s.Output, s.Dead} {
			m, ok := r.memories[name]
			if !ok {
				info, err := r.streams[name].Info(ctx)
				if err != nil {
					return fmt.Errorf("audit: stream %s: %w", name, err)
				}
				if m, err = r.memory(ctx, info, name == s.Dead && name != s.Output); err != nil {
					return err
				}
				r.memories[name] = m
			}
			at, why, anew := m.from, m.why, false
			switch {
			case m.restored:
				if m.born.After(l.restored) {
					l.restored, l.restoredName = m.born, name
				}
			case l.life.Before(m.born) && m.born.After(at):
				at, anew, why = m.born, true, name+" was made anew then, and what had been answered went with the former one"
			}
			if at.After(l.horizon) {
				if l.recorded = l.horizon; m.born.After(l.recorded) {
					l.recorded = m.born
				}
				l.horizon, l.why = at, why
				l.letters = m.left > 0 && !anew && !m.restored
				l.taken = anew || l.letters
			}
		}
		r.report.Lanes[i].VerifiableFrom = l.horizon
	}
	return nil
}

// memory reads it from what is said of a stream: an answer is never stored
// before its event. What redrives have removed for other accounts is counted only
// where an event lacks an answer, for it takes reading all there is.
func (r *run) memory(ctx context.Context, info *jetstream.StreamInfo, dead bool) (memory, error) {
	cfg, state := info.Config, info.State
	m := memory{born: info.Created, restored: restored(info)}
	if cfg.MaxMsgsPerSubject > 0 || cfg.Retention != jetstream.LimitsPolicy {
		m.from, m.why = r.begun, cfg.Name+" drops answers that are overwritten or consumed"
		return m, nil
	}
	removed := state.LastSeq - state.Msgs - (max(cfg.FirstSeq, 1) - 1)
	erased := r.erasedFrom(cfg.Name, state.LastSeq)
	removed -= min(removed, erased)
	if dead {
		redriven := r.redriven(cfg.Name)
		if removed > redriven && r.readPartly(cfg.Name) && r.lacking() {
			var err error
			if redriven, err = r.allRedriven(ctx, cfg.Name); err != nil {
				return m, err
			}
		}
		removed -= min(removed, redriven)
		if m.left = removed; removed > 0 {
			r.doubt("%d dead letters have left %s without a redrive that we know of: what is missing may have been among them", removed, cfg.Name)
		}
	} else if n := uint64(state.NumDeleted); n > erased {
		r.doubt("%d messages were deleted inside %s: what is missing may have been among them", n-erased, cfg.Name)
	}
	switch m.why = cfg.Name + " holds no answer from before: it has expired or was purged"; {
	case removed == 0 || state.FirstSeq <= max(cfg.FirstSeq, 1) && state.Msgs > 0:
	case state.Msgs > 0:
		m.from = state.FirstTime
	case state.LastTime.IsZero():
		m.from = r.begun
	default:
		m.from = state.LastTime.Add(1)
	}
	return m, nil
}

// apart is by how much the clocks of two servers of a cluster may differ that
// keep them by NTP.
const apart = time.Second

// restored reports whether a stream was made from a backup: it has held messages
// that are older than it is.
func restored(info *jetstream.StreamInfo) bool {
	oldest := info.State.FirstTime
	if info.State.Msgs == 0 {
		oldest = info.State.LastTime
	}
	fed := info.Config.Mirror != nil || len(info.Config.Sources) > 0 // by streams that may be older
	return !fed && !oldest.IsZero() && info.Created.Sub(oldest) > apart
}
