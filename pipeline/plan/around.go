package plan

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// leastServer is the first server with atomic batches, and the oldest on which
// anything was tried.
var leastServer = [2]int{2, 12}

// Server checks a server's version, such as "2.15.2".
func Server(version string) []Finding {
	var v [2]int
	if _, err := fmt.Sscanf(version, "%d.%d", &v[0], &v[1]); err != nil || v[0] > leastServer[0] || v[0] == leastServer[0] && v[1] >= leastServer[1] {
		return nil
	}
	r := report{about: "NATS server"}
	r.note(Warn, "version", version, fmt.Sprintf("%d.%d or later", leastServer[0], leastServer[1]), "upgrade nats-server", "nobody has tried wxenrich on it, and it has no atomic batches")
	return r.all
}

// Bucket checks the bucket in which replicas share marks and holds; c is the
// configuration of its stream.
func Bucket(name string, c, input jetstream.StreamConfig) []Finding {
	r := report{about: "bucket " + name, edit: "nats kv edit " + name}
	if c.MaxAge > 0 {
		r.add(Warn, "ttl", c.MaxAge, "none", "--ttl 0s",
			"what replicas tell each other is forgotten: a hold ends early, and after an outage all answers are read to find those of old events")
	}
	if c.Storage == jetstream.MemoryStorage {
		r.note(Warn, "storage", c.Storage, jetstream.FileStorage, "nats kv del "+name+", and start again: it is made anew", "a restart of its server forgets holds, and how far events are answered")
	}
	if c.Replicas < input.Replicas {
		r.add(Info, "num_replicas", c.Replicas, input.Replicas, fmt.Sprintf("--replicas %d", input.Replicas), "the loss of one server loses holds, and how far events are answered")
	}
	return r.all
}
