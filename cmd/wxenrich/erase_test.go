package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all")
	service := w.background(t, "run")
	service.out.waitFor("lane is running")
	gone, kept := w.account.OpenID(0), w.account.OpenID(1)
	w.run(t, "", "publish", gone, kept, w.account.OpenID(2)).want(t, 0, "", "")
	w.settle(t, 3)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Mirror: &jetstream.StreamSource{Name: "WX_PROFILES"}}); err != nil {
		t.Fatal(err)
	}
	for copied := uint64(0); copied < 3; time.Sleep(10 * time.Millisecond) { // the server copies when it likes
		mirror, err := js.Stream(t.Context(), "COPY")
		if err != nil {
			t.Fatal(err)
		}
		copied = mirror.CachedInfo().State.Msgs
	}

	w.run(t, "", "erase").want(t, exitUsage, "", "who?")
	w.run(t, "", "erase", "--openid", "short").want(t, exitUsage, "", "that is no openid")
	w.run(t, "", "erase", "--openid", gone, "--unionid", "u").want(t, exitUsage, "", "want one of them")
	w.run(t, "", "erase", "--openid", gone).want(t, exitUsage, "", "add --yes")
	w.run(t, "", "erase", "--unionid", "nobody", "--yes").want(t, exitNotFound, "", "no record names that unionid")
	w.run(t, "", "erase", "--again").want(t, exitNotFound, "", "nobody was erased so far")
	typo := []string{"erase", "--openid", kept, "--yes", "--settle", "0s", "--appid", testAppID[:len(testAppID)-1] + "x"}
	w.run(t, "", typo...).want(t, exitUsage, "", "hint: --any-account erases there all the same")
	w.run(t, "", append(typo, "--any-account", "--dry-run", "--json")...).want(t, 0, `"swept":[]`, "")
	r := w.run(t, "", "erase", "--openid", gone, "--dry-run")
	r.want(t, 0, "stream COPY mirrors WX_PROFILES", "")
	for _, left := range []string{"the server's files", "redriven or purged", "former values in the bucket WX_STATE"} {
		r.want(t, 0, left, "")
		w.run(t, "", "erase", "--openid", gone, "--dry-run", "--json").want(t, 0, left, "")
	}
	if _, err := js.KeyValue(t.Context(), "WX_TOMBSTONES"); err == nil {
		t.Error("a dry run has written something down")
	}
	w.run(t, "", "audit").want(t, 0, "3 events = 3 records: the law holds", "")

	r = w.run(t, "", "erase", "--openid", gone, "--stream", "COPY", "--yes", "--settle", "0s", "--json")
	r.want(t, 0, "", "")
	var report erase.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"1", "WX_EVENTS-1"} {
		w.run(t, "", "explain", what).want(t, exitNotFound, "", "message 1 of WX_EVENTS was erased with all about its person")
	}
	w.run(t, "", "explain", gone).want(t, exitNotFound, "", "the person is erased from "+testAppID)
	removed := map[string]uint64{}
	for _, s := range report.Swept {
		removed[s.Stream] += s.Removed
	}
	if report.People != 1 || report.Notices != 1 || removed["WX_EVENTS"] != 1 || removed["WX_PROFILES"] != 1 || removed["COPY"] != 1 || len(report.Swept) != 3 {
		t.Errorf("%+v", report)
	}
	w.run(t, "", "audit").want(t, 0, "3 events = 2 records + 1 erased: the law holds", "")
	notices, err := js.Stream(t.Context(), "WX_ERASED")
	if err != nil {
		t.Fatal(err)
	}
	m, err := notices.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := events.ParseErased(m.Header, m.Data); err != nil || e.OpenID != gone || m.Subject != "wx.erased."+testAppID {
		t.Errorf("%+v: %v", e, err)
	}

	// An old event that comes back, as from a backup, is not there for long.
	w.run(t, "", "erase", "--again", "--yes").want(t, exitNotFound, "", "nothing has come back")
	back := events.Record{Event: events.Event{ID: "e", AppID: testAppID, OpenID: gone, Source: events.Source{Stream: "WX_EVENTS", Seq: 1, Time: m.Time.Add(-time.Hour)}}}
	w.put(t, "wx.profiles."+testAppID, &back, nil)
	w.run(t, "", "erase", "--again", "--yes").want(t, 0, "record", "")

	// By unionid, with whatever its records name.
	out, err := js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	last, err := out.GetLastMsgForSubject(t.Context(), "wx.profiles."+testAppID)
	if err != nil {
		t.Fatal(err)
	}
	record, err := events.ParseRecord(last.Header, last.Data)
	if err != nil || record.UnionID == "" {
		t.Fatalf("%+v: %v", record, err)
	}
	r = w.run(t, "", "erase", "--unionid", record.UnionID, "--yes", "--settle", "0s")
	r.want(t, 0, "consumers are told on wx.erased."+testAppID, "")
	if strings.Contains(r.out+r.err, record.Event.OpenID) {
		t.Error("an openid is shown")
	}
	w.run(t, "", "audit").want(t, 0, "3 events = 1 records + 2 erased: the law holds", "")
	if code := service.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// Somebody else is being erased: it says so, and has its turn.
	kv, err := js.KeyValue(t.Context(), "WX_TOMBSTONES")
	if err != nil {
		t.Fatal(err)
	}
	lease := "lease." + testAppID
	if _, err := kv.PutString(t.Context(), lease, `{"holder":"another"}`); err != nil {
		t.Fatal(err)
	}
	second := w.background(t, "erase", "--openid", gone, "--yes", "--settle", "0s")
	second.out.waitFor("this waits until that is done")
	if err := kv.Delete(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if code := <-second.done; code != 0 {
		t.Errorf("exit code %d: %s", code, second.out)
	}
}

// Where others make the streams nothing is removed before there is one for the
// notices, and the bucket of tombstones.
func TestEraseWhereItMayMakeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	w.environ = append(w.environ, "WXENRICH_MANAGE=verify")
	gone := w.account.OpenID(0)
	w.run(t, "", "publish", gone).want(t, 0, "", "")
	erase := func() result { return w.run(t, "", "erase", "--openid", gone, "--yes", "--settle", "0s") }
	is := func(subject string) {
		t.Helper()
		c := (&events.StreamSpec{Name: "WX_ERASED", Subjects: []string{subject}}).Config()
		if _, err := js.CreateOrUpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	before := holdings(t, js)
	erase().want(t, exitFailed, "", "hint: nats stream add WX_ERASED --subjects 'wx.erased.>'")
	is("elsewhere")
	erase().want(t, exitFailed, "", "stream WX_ERASED: subjects is elsewhere, want wx.erased.")
	is("wx.erased.>")
	erase().want(t, exitFailed, "", "hint: nats stream add KV_WX_TOMBSTONES --subjects '$KV.WX_TOMBSTONES.>'")
	if err := js.DeleteStream(t.Context(), "WX_ERASED"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, holdings(t, js)); d != "" {
		t.Errorf("it changed something: -before +after\n%s", d)
	}
	is("wx.erased.>")
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_TOMBSTONES"}); err != nil {
		t.Fatal(err)
	}
	erase().want(t, 0, "consumers are told on wx.erased."+testAppID, "")
}

// TestEraseExamples runs the examples of the help, which take time as they stand.
func TestEraseExamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.streams(t)
	publishRecord(t, js, events.JSON, 1, w.account.OpenID(0), "张三")
	for example := range strings.Lines(newEraseCommand(&app{}).Example) {
		args := append(strings.Fields(example)[1:], "--settle", "0s")
		want := 0
		if strings.Contains(example, "--unionid") {
			want = exitNotFound
		}
		if r := w.run(t, "", args...); r.code != want && !strings.Contains(example, "--again") {
			t.Errorf("%s: exit code %d: %s", example, r.code, r.err)
		}
	}
}

// TestEraseRefused: a stream that keeps everything is named, and what is left
// there is told.
func TestEraseRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.nats.JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, DenyDelete: true}); err != nil {
		t.Fatal(err)
	}
	publishRecord(t, js, events.JSON, 1, w.account.OpenID(0), "张三")
	w.run(t, "", "erase", "--openid", w.account.OpenID(0), "--yes", "--settle", "0s").
		want(t, exitFailed, "delete not permitted", "not everything could be removed")
}
