package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

var update = flag.Bool("update", false, "write the golden files")

// audited is a world whose lane has acknowledged the first n of its events,
// which are stored under these ids.
func audited(t *testing.T, n int, ids ...string) (*world, []events.Source) {
	t.Helper()
	w := newWorld(t)
	js := w.streams(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}}); err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{
		Durable: "wxenrich-" + testAppID, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "wx.events." + testAppID + ".subscribe"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		m := &nats.Msg{Subject: "wx.events." + testAppID + ".subscribe", Data: []byte(`{"openid":"` + w.account.OpenID(0) + `","id":"` + id + `"}`)}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var at []events.Source
	for _, m := range stored(t, js) {
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, events.Source{Stream: meta.Stream, Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()})
	}
	for range n {
		m, err := c.Next(jetstream.FetchMaxWait(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w, at
}

// answer stores a record; replay is the generation.
func (w *world) answer(t *testing.T, src events.Source, id, replay string) {
	t.Helper()
	r := events.Record{Event: events.Event{ID: id, AppID: testAppID, OpenID: w.account.OpenID(0), Source: src}, Replay: replay}
	w.put(t, "wx.profiles."+testAppID, &r, nil)
}

// bury stores a dead letter.
func (w *world) bury(t *testing.T, src events.Source) {
	t.Helper()
	w.put(t, "wx.dead."+testAppID+".rejected", nil, &events.DeadLetter{Message: events.Message{Source: src}, AppID: testAppID, Reason: events.Rejected})
}

func (w *world) put(t *testing.T, subject string, r *events.Record, d *events.DeadLetter) {
	t.Helper()
	var m *nats.Msg
	if d != nil {
		m = d.Msg(subject)
	} else {
		var err error
		if m, err = r.Msg(subject, events.JSON); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.nats.JetStream().PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

var storedTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

var afterTime = regexp.MustCompile(`(TIME|stored) +`) // a time is as wide as its fraction is long

// golden compares what a command printed with a file. Of the times it is enough
// that they are there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	goldenText(t, name, afterTime.ReplaceAllString(storedTime.ReplaceAllString(got, "TIME"), "$1  "))
}

// goldenText compares a text with a file.
func goldenText(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(read(t, path), got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestAuditHolds(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 3, "a", "b", "c", "d")
	w.answer(t, at[0], "a", "")
	w.bury(t, at[1])
	w.answer(t, at[2], "c", "")
	r := w.run(t, "", "audit")
	r.want(t, 0, "", "")
	golden(t, "audit_holds.txt", r.out)
	w.run(t, "", "audit", "--from-seq", "2", "--to-seq", "3").want(t, 0, "2 events = 1 records + 1 dead letters: the law holds\n", "")
	w.run(t, "", "audit", "--since", "1h", "--until", "1m").want(t, 3, "", "wxenrich: there is no event in the range\n")
	w.run(t, "", "audit", "--appid", "wxstranger").want(t, exitUsage, "", "account wxstranger is not configured, and no replica has left a trace of it\nhint: the configuration has "+testAppID)
	w.run(t, "", "audit", "--appid", testAppID[:len(testAppID)-1]).want(t, exitUsage, "", "did you mean "+testAppID+"?")
}

func TestAuditNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 5, "a", "b", "b", "order-4", "e")
	w.answer(t, at[0], "a", "")
	w.bury(t, at[0])
	w.answer(t, at[1], "b", "")
	w.answer(t, at[2], "b", "")
	w.answer(t, at[2], "b", "again")
	w.answer(t, at[4], "e", "")
	w.answer(t, at[4], "e", "again")
	r := w.run(t, "", "audit", "--doubles")
	r.want(t, exitBroken, "", "wxenrich: the law is broken: 1 missing, 1 doubled\nhint: ")
	golden(t, "audit_broken.txt", r.out)
	if strings.Contains(r.out, w.account.OpenID(0)) {
		t.Error("an openid is shown")
	}
	w.run(t, "", "audit", "--verbose").want(t, exitBroken, w.account.OpenID(0), "")

	r = w.run(t, "", "audit", "--json", "--show", "1")
	var report struct {
		Holds bool
		Lanes []struct {
			AppID            string
			In, Records      int
			Missing, Doubled int
		}
		Findings []struct {
			Kind, Stream string
			Seq          uint64
			EventID      string `json:"event_id"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if l := report.Lanes[0]; report.Holds || l.AppID != testAppID || l.In != 5 || l.Records != 4 || l.Missing != 1 || l.Doubled != 1 || len(report.Findings) != 2 {
		t.Errorf("%+v", report)
	}
	if f := report.Findings[1]; f.Kind != "missing" || f.Seq != 4 || f.EventID != "order-4" || r.code != exitBroken {
		t.Errorf("%+v", report)
	}
	w.run(t, "", "audit", "--show", "0").want(t, exitBroken, "the law does not hold\n", "")
}

// What is missing of a backfill lies on a subject that replay does not read by itself.
func TestAuditNamesTheSubjectOfABackfill(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 1, "a")
	w.answer(t, at[0], "a", "")
	js := w.nats.JetStream()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	subject := "wx.events." + testAppID + ".backfill"
	if _, err := kv.PutString(t.Context(), "job."+testAppID+".backfill-1", `{"id":"backfill-1","appid":"`+testAppID+
		`","kind":"backfill","state":"done","range":{"stream":"WX_EVENTS","subjects":["`+subject+`"]}}`); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), subject, []byte(w.account.OpenID(9)), jetstream.WithMsgID("backfill-1-7")); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "audit").want(t, exitBroken, "", "add --appid "+testAppID+" --subject "+subject)
}

// TestAuditOfWhatIsGone: what cannot be named is not passed over.
func TestAuditOfWhatIsGone(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 3, "a", "b", "c")
	w.answer(t, at[0], "a", "")
	w.bury(t, at[2])
	purge := func(name string, opts ...jetstream.StreamPurgeOpt) {
		t.Helper()
		stream, err := w.nats.JetStream().Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context(), opts...); err != nil {
			t.Fatal(err)
		}
	}
	purge("WX_DEAD") // one letter cannot have been the answer to two
	w.run(t, "", "audit").want(t, exitBroken, "3 events = 1 records + 2 unverifiable: the law does not hold\n",
		"the law is broken: 0 missing, 0 doubled, and 1 or more of the unverifiable are missing")

	w.answer(t, at[2], "c", "")
	purge("WX_EVENTS", jetstream.WithPurgeSequence(3))
	w.run(t, "", "audit").want(t, 0, "2 events = 1 records + 1 expired: the law holds for these; of 1 that are gone nobody can say\n", "")
}

// TestAuditOfAWorkQueue says what it cannot know.
func TestAuditOfAWorkQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.nats.JetStream()
	for _, c := range []jetstream.StreamConfig{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Retention: jetstream.WorkQueuePolicy},
		{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}}, {Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}},
	} {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	c, err := js.CreateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{Durable: "wxenrich-" + testAppID,
		AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "wx.events." + testAppID + ".subscribe"})
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "publish", w.account.OpenID(0), w.account.OpenID(1)).want(t, 0, "", "")
	m, err := c.Next(jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := m.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	src := events.Source{Stream: "WX_EVENTS", Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()}
	w.answer(t, src, "a", "")
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.run(t, "", "audit")
	r.want(t, 0, "2 events or more: 1 records + 1 pending: none is doubled; what is missing cannot be told\n", "")
	for _, text := range []string{"  2+  1        0             1        ?        0", "note: stream WX_EVENTS deletes an event when it is acknowledged"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
	w.run(t, "", "audit", "--json").want(t, 0, `"forgets":true`, "")
	w.bury(t, src)
	w.run(t, "", "audit").want(t, exitBroken, ", and 1 answered once more: the law does not hold; what is missing cannot be told\n", "the law is broken: 0 missing, 1 doubled")
}

func TestAuditUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"--since", "tomorrow"}, "--since \"tomorrow\": want a duration"},
		{[]string{"--until", "soon"}, "--until \"soon\": want a duration"},
		{[]string{"--from-seq", "9", "--to-seq", "2"}, "the range ends before it begins"},
		{[]string{"--since", "1h", "--until", "2h"}, "the range ends before it begins"},
		{[]string{"--since", "1h", "--to-seq", "2"}, "not both"},
		{[]string{"--show", "-3"}, "--show -3: want 0 or more"},
		{[]string{"one"}, "unknown command"},
	} {
		w.run(t, "", append([]string{"audit"}, c.args...)...).want(t, 2, "", c.stderr)
	}
	w.run(t, "", "audit").want(t, 1, "", "stream WX_EVENTS: nats: API error")
	w.environ = append(w.environ, "WXENRICH_ACCOUNTS_1_APPID=wx2", "WXENRICH_ACCOUNTS_1_SECRET_ENV=WX_SECRET", "WXENRICH_INPUT_STREAM=IN_{appid}")
	w.run(t, "", "audit", "--from-seq", "1").want(t, 2, "", "several input streams\nhint: name one account with --appid")
}

// TestAuditOfOneAccountOfTwo reads no more of the streams than is that one's.
func TestAuditOfOneAccountOfTwo(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 1, "a")
	w.answer(t, at[0], "a", "")
	w.environ = append(w.environ, "WXENRICH_ACCOUNTS_1_APPID=wx2", "WXENRICH_ACCOUNTS_1_SECRET_ENV=WX_SECRET")
	js := w.nats.JetStream()
	for _, subject := range []string{"wx.events.wx2.subscribe", "wx.profiles.wx2"} {
		if _, err := js.Publish(t.Context(), subject, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	r := w.run(t, "", "audit", "--appid", testAppID)
	r.want(t, 0, "1 events = 1 records: the law holds\n", "")
	if strings.Contains(r.out, "note: ") || strings.Contains(r.out, "wx2") {
		t.Errorf("the other account is looked at:\n%s", r.out)
	}
	r = w.run(t, "", "audit")
	r.want(t, 0, "2 events = 1 records + 1 pending: the law holds\n", "")
	for _, text := range []string{"wx2 ", "stream WX_EVENTS has no durable wxenrich-wx2", "1 messages among the answers answer nothing"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
}

// TestAuditExamples runs the examples of the help, which TestExamples cannot:
// its records answer events that nobody has published.
func TestAuditExamples(t *testing.T) {
	t.Parallel()
	w, at := audited(t, 1, "a")
	w.answer(t, at[0], "a", "")
	for example := range strings.Lines(newAuditCommand(&app{}).Example) {
		w.run(t, "", strings.Fields(example)[1:]...).want(t, 0, "", "")
	}
}
