package pipeline

import (
	"cmp"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// Needs is what the lane will ask of its streams and its durable. How long a
// call may take is the client's business, and stays 0.
func (c *Config) Needs() plan.Lane {
	return plan.Lane{
		AppID: c.AppID, Subjects: c.Subjects,
		Batch: c.BatchSize, Prefetch: c.prefetch(), InHand: c.inHand(), MaxAckPending: c.maxAckPending(), MaxPayload: cmp.Or(c.MaxPayload, events.DefaultMaxPayload),
		AckWait: c.AckWait, Window: max(c.Window, c.WindowMax), Publish: publishTimeout, PullExpiry: pullExpiry,
		Atomic: c.Atomic, InMemory: c.InMemory,
	}
}
