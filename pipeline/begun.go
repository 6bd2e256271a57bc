package pipeline

import (
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/water"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// noteBound notes where the lane is as its durable knows it: until the first event is
// taken no mark says so, and where there is no bucket none ever does.
func (l *Lane) noteBound(stream *jetstream.StreamInfo, durable *jetstream.ConsumerInfo) {
	l.begun.Store(&water.Mark{Stream: stream.Created, Floor: durable.AckFloor.Stream, Begin: plan.Begin(durable)})
}

// noteFloor notes that the durable has come further. It is safe for concurrent use.
func (l *Lane) noteFloor(durable *jetstream.ConsumerInfo) {
	if known := l.begun.Load(); known != nil && durable.AckFloor.Stream > known.Floor {
		next := *known
		next.Floor = durable.AckFloor.Stream
		l.begun.CompareAndSwap(known, &next) // else it was bound anew, and that says more
	}
}

// recall is where a durable begins that replaces one that this lane has read from,
// if input.start does not say it: "new" meant what came after the first start, and
// nothing at all meant that nothing was there. It is behind what that one knew to be
// answered, and of a stream that was made since then at the first event.
func (l *Lane) recall(stream *jetstream.StreamInfo) (m water.Mark, ok bool) {
	known := l.begun.Load()
	switch {
	case known == nil || !l.saysOnce():
		return m, false
	case stream.Created.Equal(known.Stream) && known.Floor <= stream.State.LastSeq:
		m = *known
	case stream.Created.After(known.Stream):
		m.Stream = stream.Created
	default:
		return m, false // one that somebody has restored: whatever it holds may be answered
	}
	l.log.Warn("the durable is gone, and nothing says how far it was; it is made anew where this process knows that it was", slog.Uint64("behind", m.Floor))
	return m, true
}

// saysOnce reports whether input.start says where the first durable of the account
// begins, and nothing of one that replaces it.
func (l *Lane) saysOnce() bool {
	return l.task == nil && (l.cfg.Start.mode == startUnset || l.cfg.Start.mode == startNew)
}
