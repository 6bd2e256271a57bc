package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// world is what a lane meets; good is one to which nothing is wrong.
type world struct {
	lane                Lane
	input, output, dead jetstream.StreamConfig
	durable             jetstream.ConsumerInfo
	bucket              jetstream.StreamConfig
	server              string
}

const subject = "wx.events.wx1.subscribe"

func good() world {
	stream := func(name, subjects string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: name, Subjects: []string{subjects}, Discard: jetstream.DiscardNew, MaxAge: 30 * 24 * time.Hour,
			Duplicates: 10 * time.Minute, Replicas: 3, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, AllowAtomicPublish: true}
	}
	return world{
		lane: Lane{AppID: "wx1", Subjects: []string{subject}, Batch: 100, Prefetch: 100, InHand: 600, MaxAckPending: 2800, MaxPayload: 256 << 10,
			AckWait: 30 * time.Second, Window: time.Second, Call: 20 * time.Second, Publish: 20 * time.Second, PullExpiry: 30 * time.Second},
		input: stream("IN", "wx.events.>"), output: stream("OUT", "wx.profiles.>"), dead: stream("DEAD", "wx.dead.>"),
		durable: jetstream.ConsumerInfo{Stream: "IN", Name: "d", Config: jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: 30 * time.Second, MaxDeliver: -1, MaxAckPending: 2800, FilterSubjects: []string{subject}}},
		bucket: jetstream.StreamConfig{Name: "KV_S", Subjects: []string{"$KV.S.>"}, Replicas: 3},
		server: "2.15.2",
	}
}

func (w *world) findings() []Finding {
	return slices.Concat(
		Input(w.lane, w.input),
		Answers(w.lane, Records, w.output, w.input),
		Answers(w.lane, DeadLetters, w.dead, w.input),
		Durable(w.lane, &w.durable),
		Bucket("S", w.bucket, w.input),
		Server(w.server))
}

// cases are all that can be wrong, and what is said of it: severity, field and
// the number that is wanted.
var cases = []struct {
	name   string
	change func(*world)
	want   []string
}{
	{"nothing", func(*world) {}, nil},

	{"producers get no acks", func(w *world) { w.input.NoAck = true }, []string{"refuse no_ack true → false"}},
	{"a small ring of events", func(w *world) { w.input.Discard, w.input.MaxMsgs = jetstream.DiscardOld, 2799 },
		[]string{"refuse max_msgs 2799 → none, or 2800 at least"}},
	{"a large ring of events", func(w *world) { w.input.Discard, w.input.MaxMsgs = jetstream.DiscardOld, 2800 },
		[]string{"warn max_msgs 2800 → none"}},
	{"a full stream refuses events", func(w *world) { w.input.MaxMsgs = 10 }, nil},
	{"a ring of bytes", func(w *world) { w.input.Discard, w.input.MaxBytes = jetstream.DiscardOld, 1<<20 },
		[]string{"warn discard old, with max_bytes 1048576 → new"}},
	{"a ring of few bytes", func(w *world) { w.input.Discard, w.input.MaxBytes = jetstream.DiscardOld, 4096 },
		[]string{"refuse max_bytes 4096 → none, or 280000 at least"}},
	{"one event of an account", func(w *world) { w.input.MaxMsgsPerSubject = 1 },
		[]string{"refuse max_msgs_per_subject 1 → none, or 2800 at least"}},
	{"one event of an account, the second refused", func(w *world) { w.input.MaxMsgsPerSubject, w.input.DiscardNewPerSubject = 1, true }, nil},
	{"events expire in hand", func(w *world) { w.input.MaxAge, w.input.Duplicates = 70*time.Second, time.Minute },
		[]string{"refuse max_age 1m10s → 96h or more"}},
	{"events expire over a weekend", func(w *world) { w.input.MaxAge = 24 * time.Hour }, []string{"warn max_age 24h → 96h or more"}},
	{"events live for a long weekend", func(w *world) { w.input.MaxAge = 96 * time.Hour }, nil},
	{"a work queue", func(w *world) { w.input.Retention = jetstream.WorkQueuePolicy }, []string{"warn retention workqueue → limits"}},
	{"interest", func(w *world) { w.input.Retention = jetstream.InterestPolicy }, []string{"warn retention interest → limits"}},
	{"interest, and a durable in memory", func(w *world) {
		w.lane.InMemory, w.durable.Config.MemoryStorage, w.input.Retention = true, true, jetstream.InterestPolicy
	}, []string{"refuse retention interest → limits"}},
	{"a sealed input", func(w *world) { w.input.Sealed = true }, []string{"warn sealed true → false"}},
	{"a mirror to read from", func(w *world) { w.input.Mirror, w.input.Subjects = &jetstream.StreamSource{Name: "X"}, nil }, []string{"info mirror X → "}},
	{"durables are kept small", func(w *world) { w.input.ConsumerLimits.MaxAckPending = 100 },
		[]string{"warn consumer_limits.max_ack_pending 100 → 2800"}},
	{"events in memory", func(w *world) { w.input.Storage = jetstream.MemoryStorage }, []string{"warn storage memory → file"}},
	{"events move", func(w *world) {
		w.input.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "wx.events.*.subscribe", Destination: "in.{{wildcard(1)}}"}
	}, []string{"warn subject_transform in.{{wildcard(1)}} → none"}},
	{"all events move", func(w *world) {
		w.input.SubjectTransform = &jetstream.SubjectTransformConfig{Destination: "in.>"}
	}, []string{"warn subject_transform in.> → none"}},
	{"events of others move", func(w *world) {
		w.input.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "wx.events.*.SCAN", Destination: "in.$1"}
	}, nil},
	{"events move to where they are looked for", func(w *world) {
		w.input.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "wx.events.*.*", Destination: "wx.events.{{wildcard(1)}}.subscribe"}
	}, nil},
	{"one replica", func(w *world) { w.input.Replicas, w.output.Replicas, w.dead.Replicas = 1, 1, 1 },
		[]string{"info num_replicas 1 → "}},
	{"nobody can be erased", func(w *world) { w.input.DenyDelete = true }, []string{"info deny_delete, deny_purge true, false → "}},

	{"an output that is a mirror", func(w *world) { w.output.Mirror, w.output.Subjects = &jetstream.StreamSource{Name: "X"}, nil },
		[]string{"refuse mirror X → "}},
	{"a sealed output", func(w *world) { w.output.Sealed = true }, []string{"refuse sealed true → false"}},
	{"no acks for records", func(w *world) { w.output.NoAck = true }, []string{"refuse no_ack true → false"}},
	{"acks before the write", func(w *world) { w.output.PersistMode, w.output.AllowAtomicPublish = jetstream.AsyncPersistMode, false }, []string{"refuse persist_mode async → default"}},
	{"records in a work queue", func(w *world) { w.output.Retention = jetstream.WorkQueuePolicy }, []string{"refuse retention workqueue → limits"}},
	{"records by interest", func(w *world) { w.output.Retention = jetstream.InterestPolicy }, []string{"refuse retention interest → limits"}},
	{"a short memory for ids", func(w *world) { w.output.Duplicates = 70 * time.Second }, []string{"warn duplicate_window 1m10s → 1m11s or more"}},
	{"a memory for ids that is just long enough", func(w *world) { w.output.Duplicates = 71 * time.Second }, nil},
	{"records live shorter than events", func(w *world) { w.output.MaxAge = 24 * time.Hour }, []string{"warn max_age 24h → 720h or more"}},
	{"events live for ever, and their answers do not", func(w *world) { w.input.MaxAge = 0 },
		[]string{"warn max_age 720h → none, as the input", "warn max_age 720h → none, as the input"}},
	{"a ring of records", func(w *world) { w.output.Discard, w.output.MaxMsgs = jetstream.DiscardOld, 1000 },
		[]string{"warn discard old, with max_bytes -1 and max_msgs 1000 → new"}},
	{"an output that gets full", func(w *world) { w.output.MaxBytes = 1 << 20 }, []string{"info max_bytes, max_msgs 1048576, -1 → "}},
	{"the latest record only", func(w *world) { w.output.MaxMsgsPerSubject = 1 }, []string{"warn max_msgs_per_subject 1 → none"}},
	{"the first record only", func(w *world) { w.output.MaxMsgsPerSubject, w.output.DiscardNewPerSubject = 1, true },
		[]string{"warn discard_new_per_subject true → false"}},
	{"records move", func(w *world) {
		w.output.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "wx.profiles.>", Destination: "other.>"}
	}, []string{"warn subject_transform other.> → none"}},
	{"no batches", func(w *world) { w.lane.Atomic, w.output.AllowAtomicPublish = true, false }, []string{"warn allow_atomic false → true"}},
	{"answers on fewer servers", func(w *world) { w.output.Replicas = 2 }, []string{"warn num_replicas 2 → 3"}},
	{"small dead letters", func(w *world) { w.dead.MaxMsgSize = 64 << 10 }, []string{"warn max_msg_size 65536 → 270336"}},
	{"small records", func(w *world) { w.output.MaxMsgSize = 4 << 10 }, []string{"warn max_msg_size 4096 → 32768"}},
	{"records in memory", func(w *world) { w.output.Storage = jetstream.MemoryStorage }, []string{"warn storage memory → file"}},

	{"one ack for all", func(w *world) { w.durable.Config.AckPolicy = jetstream.AckAllPolicy }, []string{"refuse ack_policy all → explicit"}},
	{"five deliveries", func(w *world) { w.durable.Config.MaxDeliver = 5 }, []string{"refuse max_deliver 5 → -1"}},
	{"the last event only", func(w *world) { w.durable.Config.DeliverPolicy = jetstream.DeliverLastPolicy }, []string{"refuse deliver_policy last → all"}},
	{"no bodies", func(w *world) { w.durable.Config.HeadersOnly = true }, []string{"refuse headers_only true → false"}},
	{"push", func(w *world) { w.durable.Config.DeliverSubject = "x" }, []string{"refuse deliver_subject x → "}},
	{"an ack wait too short to beat", func(w *world) { w.durable.Config.AckWait = 4 * time.Second }, []string{"warn ack_wait 4s → 5s or more"}},
	{"an ack wait of a quarter of an hour", func(w *world) { w.durable.Config.AckWait = 15 * time.Minute }, []string{"warn ack_wait 15m → 5m or less"}},
	{"an ack wait of its own", func(w *world) { w.durable.Config.AckWait = time.Minute }, []string{"info ack_wait 1m → 30s"}},
	{"back-offs", func(w *world) { w.durable.Config.BackOff = []time.Duration{30 * time.Second, time.Hour} }, []string{"info backoff 30s 1h → none"}},
	{"back-offs, one of them short", func(w *world) { w.durable.Config.BackOff = []time.Duration{30 * time.Second, time.Second} },
		[]string{"info backoff 30s 1s → none", "warn backoff 30s 1s → 5s or more"}},
	{"a pause", func(w *world) { w.durable.Paused, w.durable.PauseRemaining = true, time.Hour }, []string{"warn pause_until in 1h → no pause"}},
	{"a durable that is not", func(w *world) { w.durable.Config.InactiveThreshold = time.Hour }, []string{"warn inactive_threshold 1h → 96h or more, or none"}},
	{"a durable on one server", func(w *world) { w.lane.Replicas, w.durable.Config.Replicas = 3, 1 }, []string{"warn num_replicas 1 → 3"}},
	{"a durable on as many servers as its stream", func(w *world) { w.lane.Replicas, w.durable.Config.Replicas = 3, 0 }, nil},
	{"a durable in memory", func(w *world) { w.durable.Config.MemoryStorage = true }, []string{"warn mem_storage true → false"}},
	{"a durable in memory, as wanted", func(w *world) { w.lane.InMemory, w.durable.Config.MemoryStorage = true, true }, nil},
	{"a durable on disk, not as wanted", func(w *world) { w.lane.InMemory = true }, []string{"info mem_storage false → true"}},
	{"as slow as it came", func(w *world) { w.durable.Config.ReplayPolicy = jetstream.ReplayOriginalPolicy }, []string{"warn replay_policy original → instant"}},
	{"groups", func(w *world) {
		w.durable.Config.PriorityPolicy, w.durable.Config.PriorityGroups = jetstream.PriorityPolicyOverflow, []string{"g"}
	}, []string{"warn priority_groups g → none"}},
	{"room for half a replica", func(w *world) { w.durable.Config.MaxAckPending = 300 }, []string{"warn max_ack_pending 300 → 600 or more"}},
	{"room for one replica", func(w *world) { w.durable.Config.MaxAckPending = 1000 }, []string{"info max_ack_pending 1000 → "}},
	{"no room for the pulls of four replicas", func(w *world) { w.durable.Config.MaxWaiting = 7 }, []string{"warn max_waiting 7 → 8 or more"}},
	{"room for the pulls of four replicas", func(w *world) { w.durable.Config.MaxWaiting = 8 }, nil},
	{"small pulls", func(w *world) { w.durable.Config.MaxRequestBatch = 10 }, []string{"warn max_batch 10 → 100 or more"}},
	{"short pulls", func(w *world) { w.durable.Config.MaxRequestExpires = 10 * time.Second }, []string{"warn max_expires 10s → 30s or more"}},
	{"another filter", func(w *world) { w.durable.Config.FilterSubjects = []string{"wx.events.wx2.subscribe"} },
		[]string{"warn filter_subjects wx.events.wx2.subscribe → " + subject}},
	{"no filter", func(w *world) { w.durable.Config.FilterSubjects = nil }, []string{"warn filter_subjects  → " + subject}},
	{"the filter in its old form", func(w *world) { w.durable.Config.FilterSubject, w.durable.Config.FilterSubjects = subject, nil }, nil},

	{"a bucket that forgets", func(w *world) { w.bucket.MaxAge = time.Hour }, []string{"warn ttl 1h → none"}},
	{"a bucket in memory", func(w *world) { w.bucket.Storage = jetstream.MemoryStorage }, []string{"warn storage memory → file"}},
	{"a bucket on one server", func(w *world) { w.bucket.Replicas = 1 }, []string{"info num_replicas 1 → 3"}},
	{"a server that doubles", func(w *world) { w.server = "2.10.27" }, []string{"warn version 2.10.27 → 2.11 or later"}},
	{"the oldest server", func(w *world) { w.server = "2.11.0" }, []string{"info version 2.11.0 → 2.12 or later"}},
	{"a server with batches", func(w *world) { w.server = "2.12.0" }, nil},
	{"a server that is being made", func(w *world) { w.server = "2.16.0-dev" }, nil},
	{"a server of tomorrow", func(w *world) { w.server = "3.0.0" }, nil},
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := good()
			c.change(&w)
			var got []string
			refused := false
			for _, f := range w.findings() {
				got = append(got, string(f.Severity)+" "+f.Field+" "+f.Have+" → "+f.Want)
				refused = refused || f.Severity == Refuse
				if f.Why == "" || f.About == "" || f.Severity != Info && f.Fix == "" {
					t.Errorf("does not say what, why or what to do: %+v", f)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if f, is := Refusal(w.findings()); is != refused || is && f.Severity != Refuse {
				t.Errorf("Refusal: %v %v", f, is)
			}
		})
	}
}

// TestServerAcceptsTheCases makes of the cases what a server lets one make, so
// that the table is about what can be met.
func TestServerAcceptsTheCases(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	// With its last stream the server removes their folder, beside the making of the next.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "STAYS"}); err != nil {
		t.Fatal(err)
	}
	impossible := []string{"one replica", "answers on fewer servers", "a bucket on one server", // the server is alone
		"a sealed input", "a sealed output", "an old server", "a server of tomorrow", "push", "a pause", // made in other ways
		"a mirror to read from", "an output that is a mirror"} // of a stream that is not there
	for i, c := range cases {
		if slices.Contains(impossible, c.name) {
			continue
		}
		w := good()
		c.change(&w)
		w.input.Replicas, w.output.Replicas, w.dead.Replicas = 1, 1, 1
		suffix := fmt.Sprint(i) // the folder of one that was deleted may still be there
		for _, s := range []jetstream.StreamConfig{w.input, w.output, w.dead} {
			s.Name += suffix
			if _, err := js.CreateStream(t.Context(), s); err != nil {
				t.Errorf("%s: stream %s: %v", c.name, s.Name, err)
			}
		}
		cfg := w.durable.Config
		if limit := w.input.ConsumerLimits.MaxAckPending; limit > 0 {
			cfg.MaxAckPending = limit
		}
		if _, err := js.CreateConsumer(t.Context(), "IN"+suffix, cfg); err != nil {
			t.Errorf("%s: durable: %v", c.name, err)
		}
		for _, s := range []string{"IN", "OUT", "DEAD"} {
			if err := js.DeleteStream(t.Context(), s+suffix); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	}
}

// Who is erased may never be forgotten.
func TestTombstones(t *testing.T) {
	t.Parallel()
	c := jetstream.StreamConfig{Replicas: 1, MaxAge: time.Hour, Storage: jetstream.MemoryStorage}
	var said []string
	for _, f := range Tombstones("T", c, jetstream.StreamConfig{Replicas: 3}) {
		if f.Severity != Warn || f.Fix == "" {
			t.Errorf("%+v", f)
		}
		said = append(said, f.Field)
	}
	if d := cmp.Diff([]string{"ttl", "storage", "num_replicas"}, said); d != "" {
		t.Error(d)
	}
	good := jetstream.StreamConfig{Replicas: 3, MaxMsgsPerSubject: jetstream.KeyValueMaxHistory}
	if got := Tombstones("T", good, good); got != nil {
		t.Errorf("%+v", got)
	}
	for want, change := range map[string]func(*jetstream.StreamConfig){
		"nats stream edit KV_T --max-msgs-per-subject=64": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, // of an earlier version
		"nats stream edit KV_T --max-age 0s":              func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"nats stream edit KV_T --replicas 3":              func(c *jetstream.StreamConfig) { c.Replicas = 1 },
		"deny_delete false":                               func(c *jetstream.StreamConfig) { c.DenyDelete, c.MaxMsgsPerSubject = true, 1 }, // of nats kv add
	} {
		c := good
		change(&c)
		if got := Tombstones("T", c, good); len(got) != 1 || !strings.Contains(got[0].Fix, want) {
			t.Errorf("%s: %+v", want, got)
		}
	}
}

// A shell must not read a wildcard.
func TestFilterIsQuoted(t *testing.T) {
	t.Parallel()
	w := good()
	w.lane.Subjects = []string{"wx.events.wx1.>", "wx.other.wx1"}
	if fix := w.findings()[0].Fix; fix != "nats consumer edit IN d --filter 'wx.events.wx1.>' --filter wx.other.wx1" {
		t.Error(fix)
	}
}

func TestTextOfAFinding(t *testing.T) {
	t.Parallel()
	w := good()
	w.input.MaxAge = 24 * time.Hour
	f := w.findings()[0]
	want := "stream IN: max_age is 24h, want 96h or more: events expire unanswered when their account is on hold over a weekend and a day without quota"
	if f.String() != want || f.Fix != "nats stream edit IN --max-age 720h" {
		t.Errorf("%s\n%s", f, f.Fix)
	}
}
