package plan

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// begin is where a durable that goes on behind another says since when events
// are asked for, in RFC 3339.
const begin = "wxenrich-begin"

// Begin is since when a durable asks for events, of itself or for the one that it
// follows; zero if it asks for all.
func Begin(info *jetstream.ConsumerInfo) time.Time {
	switch cfg := &info.Config; cfg.DeliverPolicy {
	case jetstream.DeliverNewPolicy:
		return info.Created
	case jetstream.DeliverByStartTimePolicy:
		if cfg.OptStartTime != nil {
			return *cfg.OptStartTime
		}
	case jetstream.DeliverByStartSequencePolicy:
		at, _ := time.Parse(time.RFC3339Nano, cfg.Metadata[begin])
		return at
	}
	return time.Time{}
}

// BegunAt makes the durable of cfg say that it follows one with that Begin.
func BegunAt(cfg *jetstream.ConsumerConfig, at time.Time) {
	if at.IsZero() {
		return
	}
	if cfg.Metadata == nil {
		cfg.Metadata = make(map[string]string)
	}
	cfg.Metadata[begin] = at.UTC().Format(time.RFC3339Nano)
}
