package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// letter is a dead letter of the test account.
func (w *world) letter(seq uint64, reason events.Reason, code int, data string) *events.DeadLetter {
	return &events.DeadLetter{
		Message: events.Message{
			Source: events.Source{Stream: "WX_EVENTS", Seq: seq, Time: time.Unix(1e9, int64(seq)).UTC(), Subject: "wx.events." + testAppID + ".subscribe"},
			Header: nats.Header{"X-Shop": {"7"}, "Nats-Msg-Id": {fmt.Sprint("p", seq)}}, Data: []byte(data),
		},
		EventID: fmt.Sprint("p", seq), AppID: testAppID, Reason: reason, Code: code, Detail: "said no", Attempts: 2, Time: time.Unix(1.1e9, 0).UTC(),
	}
}

// morgue makes the stream of dead letters with: 1 rejected, 2 undecodable (no
// UTF-8), 3 rejected, 4 of another account, 5 no dead letter at all.
func (w *world) morgue(t *testing.T) jetstream.Stream {
	t.Helper()
	js := w.nats.JetStream()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}})
	if err != nil {
		t.Fatal(err)
	}
	other := w.letter(4, events.Rejected, 46004, w.account.OpenID(2))
	other.AppID = "wxother"
	for _, d := range []*events.DeadLetter{
		w.letter(1, events.Rejected, 40003, `{"openid":"`+w.account.OpenID(0)+`","meta":"张三"}`),
		w.letter(2, events.Undecodable, 0, "\xff\x00"),
		w.letter(3, events.Rejected, 40003, w.account.OpenID(1)),
		other,
	} {
		if _, err := js.PublishMsg(t.Context(), d.Msg("wx.dead."+d.AppID+"."+string(d.Reason))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(t.Context(), "wx.dead."+testAppID+".rejected", []byte("stray")); err != nil {
		t.Fatal(err)
	}
	return stream
}

// left is the sequences that a stream still holds.
func left(t *testing.T, s jetstream.Stream) (seqs []uint64) {
	t.Helper()
	for seq := uint64(1); seq <= 5; seq++ {
		if _, err := s.GetMsg(t.Context(), seq); err == nil {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

func TestDeadList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "", "dead", "list").want(t, exitFailed, "", "there is no stream WX_DEAD")
	w.morgue(t)
	r := w.run(t, "", "dead", "list")
	r.want(t, 0, "account             reason       errcode  count", "note: 1 messages are no dead letters")
	for _, line := range []string{testAppID + "  rejected     40003    2 ", testAppID + "  undecodable  -        1 ", "wxother             rejected     46004    1 "} {
		r.want(t, 0, line, "")
	}
	for args, want := range map[string]string{
		"--reason undecodable":             "2",
		"--code 40003":                     "1 3",
		"--code 40003 --limit 1":           "1",
		"--code 40003,0":                   "1 2 3",
		"--appid wxother":                  "4",
		"--since 1h --appid " + testAppID:  "1 2 3",
		"--until 1h":                       "",
		"--reason crashed":                 "",
		"--reason rejected,undecodable":    "1 2 3 4",
		"--since 2001-01-01T00:00:00Z":     "1 2 3 4",
		"--reason rejected --appid absent": "",
	} {
		var seqs []string
		r := w.run(t, "", append([]string{"dead", "list", "--each", "--json"}, strings.Fields(args)...)...)
		for line := range strings.Lines(r.out) {
			var l struct{ Seq int }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, fmt.Sprint(l.Seq))
		}
		code := 0
		if want == "" {
			code = exitNotFound
		}
		if got := strings.Join(seqs, " "); got != want || r.code != code {
			t.Errorf("%s: %s, want %s; %+v", args, got, want, r)
		}
	}
	var sum struct {
		Total  int
		Groups []struct {
			Reason string
			Count  int
		}
	}
	if err := json.Unmarshal([]byte(w.run(t, "", "dead", "list", "--json").out), &sum); err != nil || sum.Total != 4 || len(sum.Groups) != 3 || sum.Groups[0].Count != 2 {
		t.Errorf("%+v: %v", sum, err)
	}
	for args, want := range map[string]string{
		"--reason bad": "want one of", "--since never": "--since", "--limit 1": "and --each", "--appid a.b": "--appid",
		"--since 1h --until 2h": "ends before it begins",
	} {
		w.run(t, "", append([]string{"dead", "list"}, strings.Fields(args)...)...).want(t, exitUsage, "", want)
	}
}

func TestDeadShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.morgue(t)
	r := w.run(t, "", "dead", "show", "1", "2")
	for _, want := range []string{"rejected: WeChat refuses", "see whether the openid belongs to this account", "WX_EVENTS 1 on wx.events.",
		"openid              " + w.account.OpenID(0), "header X-Shop       7\n", "header Nats-Msg-Id  p1\n", `"meta":"张三"}` + "\n", "00000000  ff 00", "none: events: undecodable"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	w.run(t, "", "dead", "show", "5").want(t, exitNotFound, "", "note: 5 is no dead letter")
	w.run(t, "", "dead", "show", "99").want(t, exitNotFound, "", "there is no such dead letter")
	w.run(t, "", "dead", "show", "x").want(t, exitUsage, "", "is no sequence")
	w.run(t, "", "dead", "show").want(t, exitUsage, "", "usage: wxenrich dead show SEQ")
}

func TestDeadExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.morgue(t)
	r := w.run(t, "", "dead", "export", "--appid", testAppID)
	type exported struct {
		Seq    uint64
		Data   *string
		Bytes  []byte `json:"data_base64"`
		Fault  string `json:"event_fault"`
		Event  *struct{ OpenID, Type string }
		Source struct {
			Seq  uint64
			Time time.Time
		}
		Headers map[string][]string
	}
	var got []exported
	for line := range strings.Lines(r.out) {
		var e exported
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if r.code != 0 || len(got) != 3 {
		t.Fatalf("%+v", r)
	}
	if e := got[0]; e.Data == nil || !strings.Contains(*e.Data, "张三") || e.Event == nil || e.Event.OpenID != w.account.OpenID(0) || e.Event.Type != "subscribe" ||
		e.Source.Seq != 1 || !e.Source.Time.Equal(time.Unix(1e9, 1)) || e.Headers["Nats-Msg-Id"][0] != "p1" {
		t.Errorf("%+v", e)
	}
	if e := got[1]; string(e.Bytes) != "\xff\x00" || e.Data != nil || e.Event != nil || e.Fault == "" {
		t.Errorf("%+v", e)
	}
}

func TestDeadPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream := w.morgue(t)
	want := func(seqs ...uint64) {
		t.Helper()
		if d := cmp.Diff(seqs, left(t, stream)); d != "" {
			t.Errorf("-want +left\n%s", d)
		}
	}
	w.run(t, "", "dead", "purge", "--yes").want(t, exitUsage, "", "which letters?")
	w.run(t, "", "dead", "purge", "--yes", "--all", "1").want(t, exitUsage, "", "want one of them")
	w.run(t, "", "dead", "purge", "1").want(t, exitUsage, "", "add --yes")
	w.run(t, "", "dead", "purge", "--reason", "rejected", "--dry-run").want(t, 0, "would remove 3 dead letters", "")
	w.run(t, "", "dead", "purge", "5", "--yes").want(t, exitNotFound, "", "no such dead letter")
	want(1, 2, 3, 4, 5)
	asked := func(answer string) (code int, out string) {
		var b, errs strings.Builder
		code = execute(t.Context(), []string{"dead", "purge", "1"}, streams{in: strings.NewReader(answer), out: &b, err: &errs, environ: w.environ, inTTY: true})
		return code, errs.String()
	}
	if code, text := asked("\n"); code != exitNotFound || !strings.Contains(text, "remove 1 dead letters for good? [y/N]") {
		t.Errorf("%d %s", code, text)
	}
	want(1, 2, 3, 4, 5)
	if code, text := asked("y\n"); code != 0 {
		t.Errorf("%d %s", code, text)
	}
	want(2, 3, 4, 5)
	w.run(t, "", "dead", "purge", "--code", "40003", "--yes", "--json").want(t, 0, `"found":1,"groups":[`, "")
	want(2, 4, 5)
	w.run(t, "", "dead", "purge", "--all", "--yes").want(t, 0, "removed 2 dead letters", "")
	want(5)
}

func TestDeadLettersInAStreamForEachAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_DEAD_STREAM=DEAD_{appid}")
	if _, err := w.nats.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "DEAD_" + testAppID, Subjects: []string{"wx.dead.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.nats.JetStream().PublishMsg(t.Context(), w.letter(1, events.TooLarge, 0, w.account.OpenID(0)).Msg("wx.dead."+testAppID+".too_large")); err != nil {
		t.Fatal(err)
	}
	w.run(t, "", "dead", "show", "1").want(t, 0, "too_large", "")
	w.run(t, "", "dead", "list", "--appid", "wxother").want(t, exitFailed, "", "there is no stream DEAD_wxother")
}
