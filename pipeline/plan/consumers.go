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
	return consumers(c, max(accounts, have)+spareConsumers, most, version, ", or a stream for each account: input.stream: "+c.Name+"_{appid}",
		fmt.Sprintf("%d accounts and %d consumers", accounts, have), "an account beyond it waits for ever")
}

// Readers checks in the same way that a stream of answers has room for whoever
// reads it: lanes do so for what comes again, an audit for all.
func Readers(c jetstream.StreamConfig, have, most int, version string) []Finding {
	return consumers(c, have+spareConsumers, most, version, "",
		fmt.Sprintf("%d consumers", have), "beyond it nobody can look for the answers to events that come again after an outage, and these wait for ever")
}

// consumers holds what is needed to what may be made.
func consumers(c jetstream.StreamConfig, need, most int, version, instead, who, harm string) []Finding {
	r := stream(&c)
	limit, whose := c.MaxConsumers, "max_consumers"
	if most > 0 && (limit <= 0 || most < limit) {
		limit, whose = most, "max_consumers of the NATS account"
	}
	if limit <= 0 && !older(version, [2]int{2, 15}) {
		limit, whose = defaultMaxConsumers, "max_consumers by default"
	}
	if limit <= 0 || need <= limit-limit/20 {
		return nil
	}
	fix := fmt.Sprintf("%s --max-consumers %d%s", r.edit, 2*need, instead)
	if whose != "max_consumers" && most > 0 {
		fix = fmt.Sprintf("raise the account's jetstream max_consumers to %d%s", 2*need, instead)
	}
	severity, why := Info, who+" are near it: "+harm
	if need > limit {
		severity, why = Warn, fmt.Sprintf("%s leave no room for %d that come and go: %s", who, spareConsumers, harm)
	}
	r.note(severity, whose, limit, fmt.Sprintf("%d or more", 2*need), fix, why)
	return r.all
}
