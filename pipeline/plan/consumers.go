package plan

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// defaultMaxConsumers is how many consumers nats-server 2.15 gives a stream that
// says nothing, in an account that says nothing (default_max_consumers).
const defaultMaxConsumers = 1000

// spareConsumers are those that come and go beside the durables: an audit, a
// replay, a job each have one.
const spareConsumers = 10

// Consumers checks that a stream has room for the durables of so many accounts;
// have is the consumers that it has already, most what the NATS account allows a
// stream, if not 0, and version the server's.
func Consumers(c jetstream.StreamConfig, accounts, have, most int, version string) []Finding {
	r := stream(&c)
	limit, whose := c.MaxConsumers, "max_consumers"
	if most > 0 && (limit <= 0 || most < limit) {
		limit, whose = most, "max_consumers of the NATS account"
	}
	if limit <= 0 && !older(version, [2]int{2, 15}) {
		limit, whose = defaultMaxConsumers, "max_consumers by default"
	}
	need := max(accounts, have) + spareConsumers
	if limit <= 0 || need <= limit-limit/20 {
		return nil
	}
	want := fmt.Sprintf("%d or more", 2*need)
	fix := fmt.Sprintf("%s --max-consumers %d, or a stream for each account: input.stream: %s_{appid}", r.edit, 2*need, c.Name)
	if whose != "max_consumers" && most > 0 {
		fix = fmt.Sprintf("raise the account's jetstream max_consumers to %d, or a stream for each account: input.stream: %s_{appid}", 2*need, c.Name)
	}
	why := fmt.Sprintf("%d accounts and %d consumers are near it, and beyond it an account waits for ever", accounts, have)
	severity := Info
	if need > limit {
		severity, why = Warn, fmt.Sprintf("%d accounts and %d consumers leave no room: an account beyond it waits for ever", accounts, have)
	}
	r.note(severity, whose, limit, want, fix, why)
	return r.all
}
