package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// TestExplain follows real events through a real service.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	subject := "wx.events." + testAppID + ".subscribe"
	publish := func(subject, id, body string) {
		t.Helper()
		m := &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Msg-Id": {id}}, Data: []byte(body)}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	person := w.account.OpenID(0)
	w.run(t, "", "explain", "1").want(t, exitNotFound, "", "there is no event 1")
	publish(subject, "first", person)
	publish("wx.events."+testAppID+".SCAN", "second", person)
	w.run(t, "", "explain", "1").want(t, 0, "nobody listens: there is no durable", "note: there is no bucket WX_STATE")
	w.environ = append(w.environ, "WXENRICH_INPUT_START=all")
	service := w.background(t, "run")
	w.settle(t, 1)
	publish(subject, "third", "not an openid")
	publish(subject, "fourth", person)
	w.settle(t, 2)

	r := w.run(t, "", "explain", "1")
	for _, want := range []string{"event first of " + testAppID + ", subscribe, " + person + "\n", "stored      WX_EVENTS 1 on " + subject,
		"looked up   by batchget, errcode 0", "record      WX_PROFILES 1: following\n", "now         answered\n"} {
		r.want(t, 0, want, "")
	}
	w.run(t, "", "explain", "2").want(t, 0, "never asked for: no account listens to its subject", "")
	w.run(t, "", "explain", "WX_EVENTS-3").want(t, 0, `answered by a dead letter: "wxenrich dead show 1"`, "")
	w.run(t, "", "explain", "third").want(t, 0, "WX_DEAD 1: invalid_openid after 0 calls", "")
	w.run(t, "", "explain", person, "--limit", "1").want(t, 0, "event fourth", "note: there are earlier events")
	var ids []string
	for line := range strings.Lines(w.run(t, "", "explain", person, "--json").out) {
		var s struct {
			ID       string `json:"event_id"`
			Standing string
			Answers  []struct{ Deliveries int }
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Standing != "answered" || len(s.Answers) != 1 || s.Answers[0].Deliveries != 1 {
			t.Errorf("%s: %v", line, err)
		}
		ids = append(ids, s.ID)
	}
	if got := strings.Join(ids, " "); got != "first fourth" {
		t.Errorf("%s's events: %s", person, got)
	}
	w.run(t, "", "explain", "nobody").want(t, exitNotFound, "", "there is no event nobody")
	w.run(t, "", "explain", "1", "--limit", "0").want(t, exitUsage, "", "want 1 or more")

	w.run(t, "", "hold", "--why", "lunch").want(t, 0, "", "")
	service.out.waitFor("lunch")
	publish(subject, "fifth", person)
	w.run(t, "", "explain", "fifth").want(t, 0, "the account is on hold: manual: lunch", "")
	if code := service.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	publish(subject, "sixth", person)
	w.run(t, "", "explain", "6").want(t, 0, "now         waits: ", "")
	w.environ = append(w.environ, "WXENRICH_INPUT_SUBJECT="+subject+",wx.events.{appid}.SCAN") // which the durable does not know
	w.run(t, "", "explain", "2").want(t, 0, "or its durable does not yet", "")
	w.environ = w.environ[:len(w.environ)-1]

	// What is for a job waits for it, and is not told to be unheard.
	kv, err := js.KeyValue(t.Context(), "WX_STATE")
	if err != nil {
		t.Fatal(err)
	}
	backfill := "wx.events." + testAppID + ".backfill"
	for _, c := range [][2]string{{"paused", "for a job to answer, which is not done"}, {"done", "acknowledged, and there is no answer any more"}} {
		state, want := c[0], c[1]
		if _, err := kv.PutString(t.Context(), "job."+testAppID+".backfill-1", `{"id":"backfill-1","appid":"`+testAppID+`","kind":"backfill","state":"`+state+
			`","range":{"stream":"WX_EVENTS","subjects":["`+backfill+`"]}}`); err != nil {
			t.Fatal(err)
		}
		publish(backfill, "backfill-1-7", w.account.OpenID(9))
		w.run(t, "", "explain", w.account.OpenID(9)).want(t, 0, want, "")
		w.run(t, "", "explain", "7").want(t, 0, want, "")
	}

	// What is not there because somebody has wanted it so is told so.
	ledger, err := erase.Open(t.Context(), js, "WX_TOMBSTONES", nil)
	if err == nil {
		defer ledger.Close()
		err = ledger.Prepare(t.Context(), 1, events.Create)
	}
	if err == nil {
		err = ledger.Bury(t.Context(), testAppID, w.account.OpenID(9), time.Now(), "", events.ErasedByRequest)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "explain", "7").want(t, 0, "now         acknowledged: the person is erased", "")
	publish(backfill, "backfill-1-8", w.account.OpenID(9)) // who follows still is listed
	w.run(t, "", "explain", "backfill-1-8").want(t, 0, "now         acknowledged: the person is erased", "")
	w.run(t, "", "explain", w.account.OpenID(9)).want(t, 0, "event backfill-1-7", "note: the person is erased from "+testAppID)
	w.run(t, "", "dead", "purge", "1", "--yes").want(t, 0, "removed 1", "")
	w.run(t, "", "explain", "3").want(t, 0, "now         acknowledged: it had a dead letter, which somebody has removed", "")

	// The input forgets; the answers still tell.
	input, err := js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := input.Purge(t.Context(), jetstream.WithPurgeSequence(5)); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"1", "first", person} {
		w.run(t, "", "explain", what).want(t, 0, "WX_EVENTS 1, which has left the stream", "")
	}
	// An answer that had to be given again says so, and that it is a redrive's.
	again := events.DeadLetter{Message: events.Message{Source: events.Source{Stream: "WX_EVENTS", Seq: 4, Subject: subject}}, AppID: testAppID, Reason: events.Exhausted, Hop: 2, Code: 9, Attempts: 5}
	m := again.Msg("wx.dead." + testAppID + ".exhausted")
	m.Header[events.HeaderDeliveries] = []string{"3"}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "explain", "4").want(t, 0, "exhausted (errcode 9) after 5 calls, after 2 redrives, delivered 3 times", "")
}

// A message by its sequence is of the account whose subject it is on, heard or not.
func TestExplainWhoseMessageItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_ACCOUNTS_1_APPID=wx2", "WXENRICH_ACCOUNTS_1_SECRET_ENV=WX_SECRET")
	for _, subject := range []string{testAppID + ".subscribe", "wx2.big", "wx3.subscribe"} {
		if _, err := js.Publish(t.Context(), "wx.events."+subject, []byte(w.account.OpenID(0))); err != nil {
			t.Fatal(err)
		}
	}
	w.run(t, "", "explain", "--appid", "wx2", "1").want(t, exitNotFound, "", "there is no event 1 of wx2: "+testAppID+" has it on wx.events."+testAppID+".subscribe\nhint: --appid "+testAppID)
	w.run(t, "", "explain", "1").want(t, 0, "of "+testAppID+",", "")
	w.run(t, "", "explain", "2").want(t, 0, "event WX_EVENTS-2 of wx2,", "")
	w.run(t, "", "explain", "--appid", "wx2", "2").want(t, 0, "event WX_EVENTS-2 of wx2,", "")
	w.run(t, "", "explain", "3").want(t, 0, "event WX_EVENTS-3 of no account,", "")
	w.run(t, "", "explain", "--appid", "wx2", "3").want(t, exitNotFound, "", "no account listens to wx.events.wx3.subscribe")
}
