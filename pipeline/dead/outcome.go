package dead

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Outcome is what became of a letter that was redriven.
type Outcome struct {
	Letter  uint64        `json:"letter"` // its sequence
	EventID string        `json:"event_id"`
	Result  string        `json:"result"`           // "record", "dead_letter", or "left": it is as it was
	Stream  string        `json:"stream,omitempty"` // of the answer
	Seq     uint64        `json:"seq,omitempty"`
	Reason  events.Reason `json:"reason,omitempty"` // of the new dead letter
	Code    string        `json:"errcode,omitempty"`
}

// What may have become of a letter.
const (
	BecameRecord = "record"
	DiedAgain    = "dead_letter"
	Left         = "left"
)

// Outcomes says what became of letters, from the answers that were stored since
// a time. The places are those of records and of dead letters; one that is
// missing holds none.
func Outcomes(ctx context.Context, js jetstream.JetStream, places []Place, since time.Time, letters []Letter) ([]Outcome, error) {
	type answer struct {
		id  string // of a record of the event
		hop int
	}
	out := make([]Outcome, len(letters))
	byAnswer := make(map[answer]int, len(letters))
	for i := range letters {
		l := &letters[i]
		out[i] = Outcome{Letter: l.Seq, EventID: l.EventID, Result: Left}
		byAnswer[answer{l.Message.Source.MsgID(l.Replay), l.Hop + 1}] = i
	}
	for _, p := range places {
		stream, err := js.Stream(ctx, p.Stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		span := scan.Span{Stream: p.Stream, Subjects: p.Subjects, Since: since, End: stream.CachedInfo().State.LastSeq}
		err = scan.Read(ctx, js, span, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			h := m.Headers()
			src, replay, letter, err := events.ParseMsgID(h.Get(events.HeaderMsgID))
			hop, _ := strconv.Atoi(h.Get(events.HeaderHop)) // without one it is not a redrive's
			i, ours := byAnswer[answer{src.MsgID(replay), hop}]
			if err != nil || !ours {
				return true
			}
			out[i].Result, out[i].Stream, out[i].Seq = BecameRecord, p.Stream, meta.Sequence.Stream
			if letter {
				out[i].Result, out[i].Reason, out[i].Code = DiedAgain, events.Reason(h.Get(events.HeaderDeadReason)), h.Get(events.HeaderDeadCode)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
