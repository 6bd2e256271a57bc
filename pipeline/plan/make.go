package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// AddStream is the nats command that makes a stream as we would have: for
// those whose streams are somebody else's to make.
func AddStream(c jetstream.StreamConfig) string {
	o := []string{"nats stream add " + c.Name, "--subjects " + quoted(c.Subjects),
		"--storage " + text(c.Storage), "--retention " + text(c.Retention), "--discard " + text(c.Discard),
		"--max-age " + span(c.MaxAge), fmt.Sprintf("--max-bytes=%d", c.MaxBytes), "--dupe-window " + span(c.Duplicates),
		fmt.Sprintf("--replicas %d", max(1, c.Replicas)), "--compression " + text(c.Compression), "--allow-direct"}
	if c.AllowAtomicPublish {
		o = append(o, "--allow-batch")
	}
	return strings.Join(append(o, "--defaults"), " ")
}

// AddDurable is the nats command that makes an account's durable. start is
// input.start: new, all or a time; empty is all, right for a stream that holds
// nothing yet.
func AddDurable(l Lane, stream, durable, start string) string {
	if start == "" {
		start = "all"
	} else if at, err := time.Parse(time.RFC3339, start); err == nil { // which the CLI takes as an age
		start = span(time.Since(at).Truncate(time.Second) + time.Second)
	}
	memory := ""
	if l.InMemory {
		memory = " --memory"
	}
	return fmt.Sprintf("nats consumer add %s %s --pull %s --ack explicit --deliver %s --wait %s --max-deliver=-1 --max-pending %d --replay instant%s --defaults",
		stream, durable, filterOptions(l.Subjects), start, span(l.AckWait), l.MaxAckPending, memory)
}

// Resume is the nats command that ends a durable's pause.
func Resume(stream, durable string) string { return "nats consumer resume " + stream + " " + durable }

// AddBucket is the nats command that makes the bucket in which replicas share
// what they know.
func AddBucket(name string, replicas int) string {
	return fmt.Sprintf("nats kv add %s --replicas %d", name, max(1, replicas))
}

// AddTombstones is the nats command that makes the bucket of who is erased. "nats
// kv add" would make one in which nothing can be overwritten.
func AddTombstones(name string, replicas int) string {
	return fmt.Sprintf("nats stream add KV_%s --subjects '$KV.%s.>' --storage file --max-msgs-per-subject=%d --discard new --allow-rollup --allow-direct --replicas %d --defaults",
		name, name, jetstream.KeyValueMaxHistory, max(1, replicas))
}

// EditStream is the nats command that gives a stream's field the value wanted;
// empty where no command can.
func EditStream(stream, field, want string) string {
	option := map[string]string{
		"subjects": "--subjects ", "max_age": "--max-age ", "max_bytes": "--max-bytes=", "num_replicas": "--replicas ",
		"duplicate_window": "--dupe-window ", "discard": "--discard ", "max_msgs_per_subject": "--max-msgs-per-subject=",
	}[field]
	switch field {
	case "no_ack":
		option, want = "--ack", ""
	case "allow_direct":
		option, want = "--allow-direct", ""
	case "allow_atomic":
		option, want = "--allow-batch", ""
	case "subjects":
		want = quoted(strings.Split(want, ", "))
	}
	if option == "" {
		return ""
	}
	return "nats stream edit " + stream + " " + option + want
}

// quoted is subjects as one option: wildcards mean something to a shell too.
func quoted(subjects []string) string {
	all := strings.Join(subjects, ",")
	if strings.ContainsAny(all, "*>$") {
		return "'" + all + "'"
	}
	return all
}
