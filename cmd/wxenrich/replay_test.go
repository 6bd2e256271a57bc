package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// pausedJob writes down the job of a kind of the examples, as it is in each of them.
func (w *world) pausedJob(t *testing.T, kv jetstream.KeyValue, kind job.Kind) {
	t.Helper()
	stream, err := w.nats.JetStream().Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	j := job.Job{
		ID: string(kind) + exampleJob, AppID: testAppID, Kind: kind, Lane: "wxenrich-" + testAppID,
		Range:    job.Range{Stream: "WX_EVENTS", Born: stream.CachedInfo().Created, From: 1, To: 10},
		Progress: job.Progress{Total: 10}, State: job.Paused, Created: time.Now(),
	}
	value, err := json.Marshal(&j)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "job."+testAppID+"."+j.ID, value); err != nil {
		t.Fatal(err)
	}
}

// replays are the replay ids in the output, with how many records each has.
func (w *world) replays(t *testing.T, name string) map[string]int {
	t.Helper()
	js := w.nats.JetStream()
	c, err := js.OrderedConsumer(t.Context(), name, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for range stream.CachedInfo().State.Msgs {
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		found[m.Headers().Get(events.HeaderReplay)]++
	}
	return found
}

// first is the first record on a subject.
func (w *world) first(t *testing.T, name, subject string) events.Record {
	t.Helper()
	s, err := w.nats.JetStream().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), 1, jetstream.WithGetMsgSubject(subject))
	if err != nil {
		t.Fatal(err)
	}
	r, err := events.ParseRecord(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	w.run(t, "", "replay", "--since", "1h").want(t, exitFailed, "", "there is no bucket WX_STATE")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	w.run(t, "", "replay").want(t, exitUsage, "", "which events?")
	w.run(t, "", "replay", "--since", "1h", "--from-seq", "3").want(t, exitUsage, "", "not both")
	w.run(t, "", "replay", "--since", "1h").want(t, exitNotFound, "", "no event in the range")
	w.run(t, "", "replay", "resume", "replay-1").want(t, exitNotFound, "", "there is no job replay-1")
	args := []string{"publish"}
	for i := range 25 {
		args = append(args, w.account.OpenID(i%20))
	}
	w.run(t, "", append(args, "--dedupe=false")...)
	n := uint64(25)
	if s, err := js.Stream(t.Context(), "WX_EVENTS"); err == nil {
		n = s.CachedInfo().State.Msgs
	}
	w.settle(t, n)

	r := w.run(t, "", "replay", "--since", "yesterday", "--dry-run", "--json")
	r.want(t, 0, `"openids":20`, "")
	var price priceJSON
	if err := json.Unmarshal([]byte(r.out), &price); err != nil || price.Messages != int64(n) || price.Calls != 1 {
		t.Errorf("price: %+v, %v", price, err)
	}
	w.run(t, "", "replay", "--since", "1h", "--dry-run").want(t, 0, "1, if none fails", "")
	w.run(t, "", "replay", "--since", "1h", "--type", "nope", "--dry-run").want(t, exitNotFound, "left out", nothingAsked)
	w.run(t, "", "replay", "--since", "1h", "--type", "nope", "--dry-run", "--json").want(t, exitNotFound, `"skipped":25`, nothingAsked)
	w.run(t, "", "replay", "--since", "1h", "--max-age", "-5m").want(t, exitUsage, "", "want 0 or more")
	for _, rate := range []string{"-1", "nan", "inf"} {
		w.run(t, "", "replay", "--since", "1h", "--rate", rate).want(t, exitUsage, "", "want 0 or more")
		w.run(t, "", "backfill", "--rate", rate).want(t, exitUsage, "", "want 0 or more")
		w.run(t, "", "dead", "redrive", "--all", "--rate", rate).want(t, exitUsage, "", "want 0 or more")
	}
	w.run(t, "", "jobs", "list").want(t, 0, "", "there are none")

	before := w.account.Stats().Calls["user/info/batchget"]
	r = w.run(t, "", "replay", "--since", "1h")
	r.want(t, 0, "is done: ", "replay-")
	if calls := w.account.Stats().Calls["user/info/batchget"] - before; calls != int(price.Calls) {
		t.Errorf("%d calls, %d were priced", calls, price.Calls)
	}
	id := regexp.MustCompile(`replay-[0-9]{6}-[a-z0-9]{5}`).FindString(r.out)
	w.settle(t, 2*n)
	if got := w.replays(t, "WX_PROFILES"); got[id] != int(n) || got[""] != int(n) {
		t.Errorf("records by replay: %v, want %d of %s", got, n, id)
	}
	w.run(t, "", "replay", "show", id).want(t, 0, "done", "")
	w.run(t, "", "replay", "list", "--all").want(t, 0, id, "")
	w.run(t, "", "jobs", "cancel", id).want(t, exitNotFound, "", "is done")
	w.run(t, "", "audit").want(t, 0, "", "")

	// Elsewhere, one person only.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ELSEWHERE", Subjects: []string{"elsewhere.>"}}); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "replay", "--from-seq", "1", "--output-subject", "nowhere.{appid}").want(t, exitFailed, "", "no stream listens to nowhere."+testAppID)
	for subject, why := range map[string]string{
		"wx.events.{appid}.subscribe": "stream WX_EVENTS takes it, which is for the events of " + testAppID,
		"wx.events.wxother.{type}":    "stream WX_EVENTS takes it",
		"wx.{type}.{appid}.exhausted": "which is for ",
		"wx.dead.{appid}.{type}":      "stream WX_DEAD takes it, which is for dead letters",
	} {
		w.run(t, "", "replay", "--from-seq", "1", "--output-subject", subject).want(t, exitUsage, "", why)
	}
	w.run(t, "", "replay", "--from-seq", "1", "--subject", "wx.events.other.subscribe").want(t, exitUsage, "", "is not of account")
	w.run(t, "", "replay", "--from-seq", "1", "--openid", w.account.OpenID(7), "--output-subject", "elsewhere.{appid}", "--json").want(t, 0, `"state":"done"`, "")
	if got := w.replays(t, "ELSEWHERE"); len(got) != 1 {
		t.Errorf("records elsewhere: %v", got)
	}
	w.run(t, "", "replay", "--from-seq", "1", "--openid", w.account.OpenID(999)).want(t, exitNotFound, "is done: 0 records", "nothing in the range is what was asked for")
	// Records once more, in JSON.
	calls := w.account.Stats().Calls["user/info/batchget"]
	w.run(t, "", "replay", "--from", "letters", "--since", "1h").want(t, exitUsage, "", "want events or records")
	r = w.run(t, "", "replay", "--from", "records", "--since", "1h", "--dry-run")
	r.want(t, 0, "left out        "+grouped(n)+"\nwithout a call  "+grouped(n)+"\nopenids         20\n", "")
	r.want(t, 0, "API calls       none\n", "")
	w.run(t, "", "replay", "--from", "records", "--since", "1h", "--type", "nope", "--dry-run").want(t, exitNotFound, "left out", nothingAsked)
	r = w.run(t, "", "replay", "--from", "records", "--from-seq", "1", "--format", "json", "--output-subject", "elsewhere.json.{appid}.{openid}")
	r.want(t, 0, grouped(n)+" records, "+grouped(n)+" left out, 0 API calls", "")
	if again := w.account.Stats().Calls["user/info/batchget"]; again != calls {
		t.Errorf("%d calls for records", again-calls)
	}
	was := w.first(t, "WX_PROFILES", "wx.profiles."+testAppID)
	is := w.first(t, "ELSEWHERE", "elsewhere.json."+testAppID+"."+was.Event.OpenID)
	if !is.FetchedAt.Equal(was.FetchedAt) || is.Source != was.Source || is.Event.ID != was.Event.ID || is.Event.Source != was.Event.Source || is.Replay == "" {
		t.Errorf("a record was\n%+v\nand is\n%+v", was, is)
	}
	if code := service.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestReplayIsPausedAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	const n = 40
	for i := range n {
		if _, err := js.Publish(t.Context(), "wx.events."+testAppID+".subscribe", []byte(w.account.OpenID(i))); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, n)
	slow := []string{"replay", "--from-seq", "1", "--rate", "5"}
	b := w.background(t, slow...)
	b.out.waitFor("replay-")
	service.out.waitFor("beginning the job")
	b.stop()
	if code := <-b.done; code != exitInterrupted {
		t.Errorf("exit code %d after an interrupt", code)
	}
	if text := b.out.waitFor("is paused"); !strings.Contains(text, "wxenrich replay resume replay-") {
		t.Errorf("printed:\n%s", text)
	}
	service.out.waitFor("the job is paused")
	w.run(t, "", "replay", "list", "--json").want(t, 0, `"state":"paused"`, "")
	r := w.run(t, "", slow...)
	r.want(t, 0, "is done", "going on with replay-")
	w.settle(t, 2*n)
	w.run(t, "", append(slow, "--detach")...).want(t, 0, "replay show", "")
	list := w.run(t, "", "jobs", "list")
	list.want(t, 0, "replay-", "")
	id := regexp.MustCompile(`replay-[0-9]{6}-[a-z0-9]{5}`).FindString(list.out)
	w.run(t, "", "jobs", "show", id).want(t, 0, "rate       5/s\n", "")
	w.run(t, "", "jobs", "pause", id, "--json").want(t, 0, `"state":"paused"`, "")
	w.run(t, "", "jobs", "cancel", id).want(t, 0, "is cancelled", "")
	service.out.waitFor("the job is ") // whatever it was when it let go
	service.end()
}
