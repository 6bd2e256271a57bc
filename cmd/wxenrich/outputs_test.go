package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/contract"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/explain"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// TestSeveralOutputs: what the commands say of a service whose output is a list.
func TestSeveralOutputs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=",
		"WXENRICH_OUTPUT_1_STREAM=WX_JSON", "WXENRICH_OUTPUT_1_SUBJECT=wx.json.{appid}.{type}", "WXENRICH_OUTPUT_1_FORMAT=json", "WXENRICH_OUTPUT_1_FIELDS=unionid")
	b := w.background(t, "run")
	b.out.waitFor("lane is running")
	js := w.nats.JetStream()
	for _, body := range []string{w.account.OpenID(0), "not an openid", w.account.OpenID(1)} {
		if _, err := js.Publish(t.Context(), "wx.events."+testAppID+".subscribe", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, 2)
	for w.run(t, "", "dead", "list").code == exitNotFound {
	}

	first, second := w.first(t, "WX_PROFILES", "wx.profiles."+testAppID), w.first(t, "WX_JSON", "wx.json."+testAppID+".subscribe")
	if first.Event.ID != second.Event.ID || first.UnionID != second.UnionID || first.User.OpenID == "" || second.User.OpenID != "" {
		t.Errorf("%+v\n%+v", first, second)
	}
	if doc, err := second.Append(nil, events.JSON); err != nil {
		t.Error(err)
	} else if v, ok := document(nil, doc); !ok || printedSchemas(t)[contract.Record].Validate(v) != nil {
		t.Errorf("a record of which little is kept has left the schema: %s", doc)
	}
	var report audit.Report
	r := w.run(t, "", "audit", "--json")
	r.want(t, 0, `"holds":true`, "")
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"WX_PROFILES", "WX_JSON"} {
		if l := report.Lanes[i]; l.Output != name || l.In != 3 || l.Records != 2 || l.DeadLetters != 1 {
			t.Errorf("%+v", l)
		}
	}
	w.run(t, "", "audit").want(t, 0, "6 events, each once for every output, = 4 records + 2 dead letters: the law holds", "")
	var story explain.Story
	r = w.run(t, "", "explain", "1", "--json")
	if err := json.Unmarshal([]byte(r.out), &story); err != nil || len(story.Answers) != 2 || story.Standing != explain.Answered {
		t.Errorf("%v: %s", err, r.out)
	}
	a := w.status(t, status.Idle)
	if len(a.Outputs) != 2 || *a.Records != 2 || *a.Outputs[1].Records != 2 || a.Outputs[1].Stream != "WX_JSON" {
		t.Errorf("%+v", a)
	}
	w.run(t, "", "status").want(t, 0, "WX_JSON holds 2 records", "")
	w.run(t, "", "tail", "--since", "all", "--limit", "1", "--json").want(t, 0, `"openid"`, "")
	w.run(t, "", "doctor").want(t, 0, "WX_JSON", "")
	w.run(t, "", "replay", "--from-seq", "1").want(t, 0, "", "")
	for _, name := range []string{"WX_PROFILES", "WX_JSON"} {
		got := w.replays(t, name)
		delete(got, "")
		if n := slices.Collect(maps.Values(got)); !slices.Equal(n, []int{2}) {
			t.Errorf("%s: replays %v", name, got)
		}
	}
	w.run(t, "", "replay", "--from", "records", "--from-seq", "1", "--output-subject", "wx.json.{appid}.{type}").want(t, 0, "", "")
	if got := w.first(t, "WX_JSON", "wx.json."+testAppID+".subscribe"); got.User.OpenID != "" {
		t.Errorf("%+v", got)
	}
	if s, err := js.Stream(t.Context(), "WX_JSON"); err != nil {
		t.Error(err)
	} else if m, err := s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq); err != nil || m.Sequence != 6 || m.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v: %+v: a replay for one of the outputs is in its format", err, m)
	}

	// While one output takes nothing an event is in hand, whatever the other has.
	s, err := js.Stream(t.Context(), "WX_JSON")
	if err != nil {
		t.Fatal(err)
	}
	full := s.CachedInfo().Config
	full.MaxMsgs = 1
	if _, err := js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "publish", w.account.OpenID(2)).want(t, 0, "", "")
	b.out.waitFor("the output does not take records")
	for deadline := time.Now().Add(everything); ; {
		r = w.run(t, "", "explain", w.account.OpenID(2), "--json")
		if err := json.Unmarshal([]byte(r.out), &story); err != nil || time.Now().After(deadline) {
			t.Fatalf("%v: %s", err, r.out)
		}
		if len(story.Answers) == 1 {
			break
		}
	}
	if story.Standing != explain.InHand {
		t.Errorf("%s", r.out)
	}
	if code := b.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
