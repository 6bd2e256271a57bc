package status_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// world is a server with the streams of two accounts, wxa and wxb.
type world struct {
	testing.TB
	js jetstream.JetStream
	kv jetstream.KeyValue
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{TB: t, js: eventstest.NewServer(t).JetStream()}
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>"} {
		if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, AllowDirect: name != "WX_DEAD"}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.kv, err = w.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) publish(subjects ...string) {
	w.Helper()
	for _, s := range subjects {
		if _, err := w.js.PublishMsg(w.Context(), nats.NewMsg(s)); err != nil {
			w.Fatal(err)
		}
	}
}

// durable makes an account's durable and takes the first n events in hand.
func (w *world) durable(appid string, n int, subjects ...string) []jetstream.Msg {
	w.Helper()
	c, err := w.js.CreateConsumer(w.Context(), "WX_EVENTS", jetstream.ConsumerConfig{
		Durable: "wxenrich-" + appid, AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: subjects})
	if err != nil {
		w.Fatal(err)
	}
	var out []jetstream.Msg
	for range n {
		m, err := c.Next(jetstream.FetchMaxWait(time.Minute))
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func lane(appid string) status.Lane {
	return status.Lane{Config: pipeline.DefaultConfig(appid), Records: []status.Place{{"WX_PROFILES", "wx.profiles." + appid}},
		Dead: status.Place{Stream: "WX_DEAD", Subject: "wx.dead." + appid + ".*"}}
}

func (w *world) read(lanes ...status.Lane) status.Report {
	w.Helper()
	board, err := pipeline.OpenBoard(w.Context(), w.kv, slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	defer board.Close()
	r, err := status.Read(w.Context(), w.js, board, nil, lanes)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) put(key, format string, args ...any) {
	w.Helper()
	if _, err := w.kv.PutString(w.Context(), key, fmt.Sprintf(format, args...)); err != nil {
		w.Fatal(err)
	}
}

func TestOldest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const a, s, b = "wx.events.wxa.subscribe", "wx.events.wxa.SCAN", "wx.events.wxb.subscribe"
	w.publish(a, b, b, s, a, b, a)
	hand := w.durable("wxa", 3, a, s) // 1, 4, 5
	w.durable("wxb", 0, b)
	stream, err := w.js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, appid string, lag uint64, inHand int, seq uint64) {
		t.Helper()
		d := w.read(lane(appid)).Accounts[0].Durable
		var want time.Time
		if seq > 0 {
			m, err := stream.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			want = m.Time
		}
		if d.Lag != lag || d.InHand != inHand || !d.Oldest.Equal(want) || (d.OldestAge != nil) != (seq > 0) {
			t.Errorf("%s: %+v, want lag %d, in hand %d, the oldest event %d of %v", what, d, lag, inHand, seq, want)
		}
	}
	ack := func(m jetstream.Msg) {
		t.Helper()
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check("nothing is answered", "wxa", 1, 3, 1)
	ack(hand[1])
	check("a later one is", "wxa", 1, 2, 1)
	ack(hand[0])
	check("and the first", "wxa", 1, 1, 5)
	ack(hand[2])
	check("all in hand", "wxa", 1, 0, 7)
	check("nobody has asked", "wxb", 3, 0, 2)
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("all is gone", "wxb", 0, 0, 0)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("wx.profiles.wxa", "wx.profiles.wxa", "wx.profiles.wxb",
		"wx.dead.wxa.rejected", "wx.dead.wxa.rejected", "wx.dead.wxa.undecodable", "wx.dead.wxa.odd", "wx.dead.wxb.rejected")
	many := lane("wxc")
	many.Records[0].Subject = ""
	r := w.read(lane("wxa"), lane("wxb"), lane("none"), many)
	if n := *r.Accounts[0].Records; n != 2 {
		t.Errorf("%d records", n)
	}
	if d := cmp.Diff(map[events.Reason]uint64{"rejected": 2, "undecodable": 1, "other": 1}, r.Accounts[0].DeadLetters); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if a := r.Accounts[1]; *a.Records != 1 || a.DeadLetters["rejected"] != 1 {
		t.Errorf("%+v", a)
	}
	if a := r.Accounts[2]; *a.Records != 0 || a.DeadLetters == nil || len(a.DeadLetters) != 0 || a.Phase != status.NoDurable {
		t.Errorf("%+v", a)
	}
	if a := r.Accounts[3]; a.Records != nil || len(a.Notes) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestBoardsWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.durable("wxa", 0, "wx.events.wxa.subscribe")
	stream, err := w.js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	born, _ := stream.CachedInfo().Created.MarshalText()
	w.put("mark.wxa.wxenrich-wxa", `{"stream":%q,"floor":40,"may":1200}`, born)
	w.put("mark.wxb.wxenrich-wxb", `{"stream":"2020-01-01T00:00:00Z","floor":40,"may":1200}`)
	day := time.Now().In(time.FixedZone("CST", 8*60*60)).Format(time.DateOnly)
	w.put("quota.wxa", `{"day":%q,"limit":1000,"read":{"at":"2026-11-23T00:00:00Z","used":300},"spent":{"calls":2,"openids":150}}`, day)
	w.put("quota.wxb", `{"day":"2020-01-01","limit":1000,"spent":{"calls":2,"openids":150}}`)
	w.put("job.wxa.replay-1", `{"id":"replay-1","appid":"wxa","kind":"replay","state":"paused","progress":{"total":10,"done":4}}`)
	w.put("job.wxa.replay-2", `{"id":"replay-2","appid":"wxa","kind":"replay","state":"done"}`)
	w.put("hold.wxa", `{"reason":"operator","errcode":48001,"rid":"r-1","detail":"api unauthorized","hint":"ask","since":"2026-11-23T01:00:00Z","until":"2026-11-23T01:15:00Z","probes":2,"by":"host-1"}`)
	w.put("hold.wxb.host-2", `{"reason":"address","errcode":40164,"hint":"whitelist","since":"2026-11-23T01:00:00Z","by":"host-2"}`)

	careful := lane("wxa")
	careful.QuotaUse = 0.5
	r := w.read(careful, lane("wxb"))
	a, b := r.Accounts[0], r.Accounts[1]
	if a.Mark == nil || a.Mark.Floor != 40 || a.Mark.May != 1200 || a.Mark.At.IsZero() || b.Mark != nil {
		t.Errorf("marks: %+v, %+v; the latter is of another stream", a.Mark, b.Mark)
	}
	if q := a.Quota; q == nil || q.Limit != 500 || q.Used != 450 || *q.Left != 50 || *q.Fill != 75 || b.Quota != nil {
		t.Errorf("quotas: %+v, %+v; the latter is another day's", a.Quota, b.Quota)
	}
	if d := cmp.Diff([]status.Job{{ID: "replay-1", Kind: "replay", State: "paused", Done: 4, Total: 10}}, a.Jobs); d != "" || b.Jobs != nil {
		t.Errorf("jobs: -want +got\n%s%+v", d, b.Jobs)
	}
	one := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	want := status.Hold{Reason: "operator", Code: 48001, RID: "r-1", Detail: "api unauthorized", Hint: "ask",
		Since: one, NextTry: one.Add(15 * time.Minute), Probes: 2, By: "host-1"}
	if d := cmp.Diff([]status.Hold{want}, a.Holds); d != "" || a.Phase != status.Held || a.Hint != "ask" {
		t.Errorf("%s %q: -want +got\n%s", a.Phase, a.Hint, d)
	}
	if len(b.Holds) != 1 || !b.Holds[0].Replica || b.Phase != status.NoDurable {
		t.Errorf("%+v; another replica may go on", b)
	}
}

func TestNothingIsThere(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	r, err := status.Read(t.Context(), js, nil, nil, []status.Lane{lane("wxa"), lane("wxb")})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Accounts {
		if a.Phase != status.NoStream || a.Hint == "" || a.Durable != nil || a.Quota != nil || a.Records != nil || a.DeadLetters != nil {
			t.Errorf("%+v", a)
		}
	}
	if got := strings.Join(r.Notes, "\n"); got != "there is no stream WX_EVENTS\nthere is no stream WX_PROFILES\nthere is no stream WX_DEAD" {
		t.Errorf("notes:\n%s", got)
	}
}

func TestPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.durable("wxa", 0, "wx.events.wxa.subscribe")
	stream, err := w.js.Stream(t.Context(), "WX_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.PauseConsumer(t.Context(), "wxenrich-wxa", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if a := w.read(lane("wxa")).Accounts[0]; a.Phase != status.Paused || a.Hint == "" {
		t.Errorf("%+v", a)
	}
}
