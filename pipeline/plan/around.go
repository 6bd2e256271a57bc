package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	// leastServer is the oldest on which the fault suite holds (2.11.17 was
	// tried): on 2.10.27 a few answers were doubled when the server was killed.
	leastServer = [2]int{2, 11}
	// atomicServer is the first with atomic batches.
	atomicServer = [2]int{2, 12}
)

// HasAtomic reports whether a server of that version, such as "2.15.2", takes
// atomic batches. One whose version cannot be read does.
func HasAtomic(version string) bool { return !older(version, atomicServer) }

func older(version string, than [2]int) bool {
	var v [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &v[0], &v[1])
	return err == nil && slices.Compare(v[:], than[:]) < 0
}

// Server checks a server's version.
func Server(version string) []Finding {
	r := report{about: "NATS server"}
	switch {
	case older(version, leastServer):
		r.note(Warn, "version", version, "2.11 or later", "upgrade nats-server", "when it is killed a few events may be answered twice, and it has no atomic batches")
	case !HasAtomic(version):
		r.note(Info, "version", version, "2.12 or later", "upgrade nats-server", "it has no atomic batches: where it syncs every write answers are stored several times slower")
	}
	return r.all
}

// Bucket checks the bucket in which replicas share marks and holds; c is the
// configuration of its stream.
func Bucket(name string, c, input jetstream.StreamConfig) []Finding {
	const what = "holds, and how far events are answered"
	return bucket(name, c, input, Info, what,
		"what replicas tell each other is forgotten: a hold ends early, and after an outage all answers are read to find those of old events",
		"nats kv del "+name+", and start again: it is made anew")
}

// Tombstones checks the bucket of who is erased in the same way. It may never
// forget, and it is edited as a stream: "nats kv edit" would have it deny deletes,
// for ever.
func Tombstones(name string, c, input jetstream.StreamConfig) []Finding {
	all := bucket(name, c, input, Warn, "who is erased",
		"who is erased is forgotten: a replay, a redrive or a delivery brings the person back",
		"nats stream backup KV_"+name+" DIR, and restore it with file storage")
	edit := "nats stream edit KV_" + name + " "
	for i := range all {
		all[i].Fix = strings.Replace(all[i].Fix, "nats kv edit "+name+" --ttl", edit+"--max-age", 1)
		all[i].Fix = strings.Replace(all[i].Fix, "nats kv edit "+name+" ", edit, 1)
	}
	r := report{about: "bucket " + name, all: all}
	const left = "what is written down while somebody is erased stays in the server's files, with the openid, until it makes room"
	if c.DenyDelete {
		r.note(Info, "deny_delete", true, false,
			"nats stream backup KV_"+name+" DIR; in a copy of DIR/backup.json's config: deny_delete false, max_msgs_per_subject 64; "+
				"nats stream rm KV_"+name+"; nats stream restore DIR --config that copy", left)
	} else if have := c.MaxMsgsPerSubject; have > 0 && have < jetstream.KeyValueMaxHistory {
		r.note(Info, "max_msgs_per_subject", have, jetstream.KeyValueMaxHistory,
			fmt.Sprintf("%s--max-msgs-per-subject=%d", edit, jetstream.KeyValueMaxHistory), left)
	}
	return r.all
}

// bucket checks one. What it holds is what is lost, of weight if a server is.
func bucket(name string, c, input jetstream.StreamConfig, weight Severity, what, aging, mend string) []Finding {
	r := report{about: "bucket " + name, edit: "nats kv edit " + name}
	if c.MaxAge > 0 {
		r.add(Warn, "ttl", c.MaxAge, "none", "--ttl 0s", aging)
	}
	if c.Storage == jetstream.MemoryStorage {
		r.note(Warn, "storage", c.Storage, jetstream.FileStorage, mend, "a restart of its server forgets "+what)
	}
	if c.Replicas < input.Replicas {
		r.add(weight, "num_replicas", c.Replicas, input.Replicas, fmt.Sprintf("--replicas %d", input.Replicas), "the loss of one server loses "+what)
	}
	return r.all
}
