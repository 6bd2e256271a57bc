package status

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// full says what a stream that takes no more leads to; empty if it does take.
// The size of the message that comes next is not known: a hundredth of the room
// counts as none.
func full(info *jetstream.StreamInfo, input bool) string {
	cfg, state := &info.Config, &info.State
	if cfg.Discard != jetstream.DiscardNew {
		return ""
	}
	var limit string
	switch {
	case cfg.MaxMsgs > 0 && state.Msgs >= uint64(cfg.MaxMsgs):
		limit = fmt.Sprintf("%d of %d messages, --max-msgs", state.Msgs, cfg.MaxMsgs)
	case cfg.MaxBytes > 0 && state.Bytes >= uint64(cfg.MaxBytes)/100*99:
		limit = fmt.Sprintf("%d of %d bytes, --max-bytes", state.Bytes, cfg.MaxBytes)
	default:
		return ""
	}
	what := "answers wait in hand, and nothing is lost"
	if input {
		what = "producers are refused"
	}
	return fmt.Sprintf("stream %s is full (%s): %s until there is room: nats stream edit %s", cfg.Name, limit, what, cfg.Name)
}
