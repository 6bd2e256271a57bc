package pipeline_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// redrive writes down a job for the dead letters there are now.
func (w *world) redrive(b *pipeline.Board, id string, sel dead.Selection, rate ...float64) {
	w.Helper()
	stream, err := w.js.Stream(w.Context(), "WX_DEAD")
	if err != nil {
		w.Fatal(err)
	}
	state := stream.CachedInfo().State
	r := job.Range{Stream: "WX_DEAD", Born: stream.CachedInfo().Created, Subjects: []string{"wx.dead." + appid + ".*"}, From: state.FirstSeq, To: state.LastSeq}
	total, err := pipeline.CountRange(w.Context(), w.js, r)
	if err != nil {
		w.Fatal(err)
	}
	spec := job.Spec{Letters: &job.Letters{Selection: sel, MaxHops: 3, Oldest: state.FirstTime}}
	for _, r := range rate {
		spec.Rate = r
	}
	if err := b.AddJob(w.Context(), job.Job{
		ID: id, AppID: appid, Kind: job.Redrive, Lane: config().Durable, Range: r, Spec: spec,
		State: job.Pending, Created: time.Now(), Progress: job.Progress{Total: int64(total)},
	}); err != nil {
		w.Fatal(err)
	}
}

// told is what the streams hold of one event.
type told struct{ records, letters, hop int }

// everything reads all answers, by the sequence of their event.
func (w *world) everything() map[uint64]told {
	w.Helper()
	all := make(map[uint64]told)
	for _, name := range []string{"WX_PROFILES", "WX_DEAD"} {
		ctx, cancel := context.WithTimeout(context.Background(), w.patience)
		found := make(chan jetstream.Msg, 100)
		n := w.held(name)
		w.follow(ctx, name, found)
		for range n {
			m := <-found
			src, _, letter, err := events.ParseMsgID(m.Headers()[events.HeaderMsgID][0])
			if err != nil {
				w.Fatal(err)
			}
			x := all[src.Seq]
			if letter {
				x.letters++
			} else {
				x.records++
			}
			if hop := m.Headers().Get(events.HeaderHop); hop != "" {
				if _, err := fmt.Sscan(hop, &x.hop); err != nil {
					w.Error(err)
				}
			}
			all[src.Seq] = x
		}
		cancel()
	}
	return all
}

// lawful fails the test unless every event has exactly one answer.
func (w *world) lawful() {
	w.Helper()
	r, err := audit.Run(w.Context(), w.js, audit.Scope{Lanes: []audit.Lane{audit.DefaultLane(appid)}})
	if err != nil {
		w.Fatal(err)
	}
	if !r.Holds() || r.Lanes[0].Pending != 0 {
		w.Errorf("audit: %+v", r)
	}
}

// TestRedriveByReason has 10,000 dead letters of three causes, of which one is
// mended, and kills the replica that redrives them.
func TestRedriveByReason(t *testing.T) {
	for name, between := range map[string]time.Duration{"at once": 0, "after the window": longAfter} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 10_000 / min(scale, 8)
				kv := w.bucket()
				bodies := []func(int) []byte{
					func(i int) []byte { return []byte(`{"user":"` + w.acc.OpenID(i) + `"}`) },
					func(int) []byte { return []byte("not an openid") },
					func(i int) []byte { return []byte(`{"openid":"` + w.acc.OpenID(i) + `","appid":"wxother"}`) },
				}
				w.publish(n, func(i int) []byte { return bodies[i%3](i) })
				cfg := lifelike()
				lane := w.start(cfg, w.board(kv))
				w.stored("WX_DEAD", n)
				w.settled(cfg.Durable)
				lane.stop()
				time.Sleep(between)

				cfg.Fields = map[string]string{"openid": "user"}
				r := w.replica(cfg)
				viewer := w.viewer(kv)
				w.redrive(viewer, "redrive-1", dead.Selection{Reasons: []events.Reason{events.Undecodable}})
				const mended = (n + 2) / 3
				for i := range 3 {
					w.stored("WX_PROFILES", (i+1)*mended/4)
					r.kill()
					time.Sleep(between)
					r = w.replica(cfg)
				}
				j := w.becomes(viewer, "redrive-1", job.Done)
				p := j.Progress
				t.Logf("%+v, %d calls", p, w.asked())
				if want := (job.Progress{Total: n, Done: n, Records: mended, Skipped: n - mended, Calls: p.Calls, Active: p.Active}); p != want || scale == 1 && j.TakenOver == 0 {
					t.Errorf("taken over %d times: %+v, want %+v", j.TakenOver, p, want)
				}
				for seq, x := range w.everything() {
					want := told{letters: 1}
					if seq%3 == 1 {
						want = told{records: 1, hop: 1}
					}
					if x != want {
						t.Errorf("event %d: %+v, want %+v", seq, x, want)
					}
				}
				if left := w.held("WX_DEAD"); left != n-mended {
					t.Errorf("%d dead letters are left, want %d", left, n-mended)
				}
				w.lawful()
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

// TestRedriveDiesAgain tries letters whose cause is not mended, within the
// duplicate window, until nobody tries them any more.
func TestRedriveDiesAgain(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 250
		kv := w.bucket()
		w.publish(n, func(int) []byte { return []byte("not an openid") })
		w.start(lifelike(), w.board(kv))
		w.stored("WX_DEAD", n)
		viewer := w.viewer(kv)
		for hop := range 4 {
			id := fmt.Sprint("redrive-", hop)
			w.redrive(viewer, id, dead.Selection{})
			p := w.becomes(viewer, id, job.Done).Progress
			want := job.Progress{Total: n, Done: n, Dead: n, Active: p.Active}
			if hop == 3 {
				want.Dead, want.Skipped = 0, n
			}
			if p != want {
				t.Errorf("redrive %d: %+v, want %+v", hop, p, want)
			}
			for seq, x := range w.everything() {
				if x != (told{letters: 1, hop: min(hop+1, 3)}) {
					t.Errorf("redrive %d: event %d: %+v", hop, seq, x)
				}
			}
			w.lawful()
		}
	})
}

// TestRedriveFindsAnAnswer is of a redrive that died between answering and
// removing the letter, long ago: its event is not answered again.
func TestRedriveFindsAnAnswer(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		w.publish(4, func(int) []byte { return []byte("not an openid") })
		w.start(lifelike(), w.board(kv))
		dying := w.answers(4)
		w.settled(lifelike().Durable)
		time.Sleep(time.Hour)
		d := dying[0].dead
		d.Hop++
		if _, err := w.js.PublishMsg(w.Context(), d.Msg("wx.dead."+appid+".invalid_openid")); err != nil {
			t.Fatal(err)
		}
		r := events.Record{Event: events.Event{ID: "e", AppID: appid, OpenID: w.acc.OpenID(1), Source: dying[1].dead.Message.Source}, Status: events.Following, Hop: 1}
		m, err := r.Msg("wx.profiles."+appid, events.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.js.PublishMsg(w.Context(), m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		viewer := w.viewer(kv)
		w.redrive(viewer, "redrive-1", dead.Selection{})
		p := w.becomes(viewer, "redrive-1", job.Done).Progress
		if p.Repeats != 2 || p.Dead != 3 {
			t.Errorf("progress: %+v", p)
		}
		all := w.everything()
		for i, want := range []told{{letters: 1, hop: 2}, {records: 1, hop: 1}, {letters: 1, hop: 1}, {letters: 1, hop: 1}} {
			if got := all[dying[i].src(t)]; got != want {
				t.Errorf("%d: %+v, want %+v", i, got, want)
			}
		}
		w.lawful()
	})
}

// TestRedriveThatAnotherHasEnded is of a replica that has a letter in hand for
// longer than the ack wait, and comes to another end than the one that got it in
// the meantime: the record of that one stands, and no letter beside it.
func TestRedriveThatAnotherHasEnded(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		w.publish(2, func(i int) []byte { return []byte([]string{w.acc.OpenID(0), w.acc.BadOpenID(1)}[i]) })
		w.start(lifelike(), w.board(kv))
		w.stored("WX_PROFILES", 1)
		w.stored("WX_DEAD", 1)
		w.settled(lifelike().Durable)
		time.Sleep(time.Hour) // whoever was refused is forgotten
		var letter events.DeadLetter
		for _, a := range w.answers(2) {
			if a.reason != "" {
				letter = a.dead
			}
		}
		slow := wechattest.Constant(18 * time.Second)
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Latency: &slow}})
		viewer := w.viewer(kv)
		w.redrive(viewer, "redrive-1", dead.Selection{})
		time.Sleep(30 * time.Second)
		r := events.Record{Event: events.Event{ID: "e", AppID: appid, OpenID: w.acc.BadOpenID(1), Source: letter.Message.Source}, Status: events.Following, Hop: 1}
		m, err := r.Msg("wx.profiles."+appid, events.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.js.PublishMsg(w.Context(), m); err != nil {
			t.Fatal(err)
		}
		w.becomes(viewer, "redrive-1", job.Done)
		if got := w.everything()[letter.Message.Source.Seq]; got != (told{records: 1, hop: 1}) {
			t.Errorf("%+v, want the record alone", got)
		}
		w.lawful()
	})
}

// TestRedriveKeepsTheGeneration has letters of a replay and of another account
// beside those of the service, and one that was cut.
func TestRedriveKeepsTheGeneration(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 40
		kv := w.bucket()
		stored := time.Now().Add(-time.Hour).UTC()
		for i := range n {
			d := events.DeadLetter{
				Message: events.Message{Source: events.Source{Stream: "WX_EVENTS", Seq: uint64(i + 1), Time: stored, Subject: "wx.events." + appid + ".subscribe"}, Data: w.openid(i)},
				EventID: fmt.Sprint("WX_EVENTS-", i+1), AppID: appid, Reason: events.Exhausted, Attempts: 3,
			}
			switch i % 4 {
			case 1:
				d.Replay = "replay-1"
			case 2:
				d.AppID = "wxother"
			case 3:
				d.Truncated = 1 << 20
			}
			if _, err := w.js.PublishMsg(w.Context(), d.Msg("wx.dead."+appid+".exhausted")); err != nil {
				t.Fatal(err)
			}
		}
		w.start(lifelike(), w.board(kv))
		viewer := w.viewer(kv)
		began := time.Now()
		w.redrive(viewer, "redrive-1", dead.Selection{}, 5)
		p := w.becomes(viewer, "redrive-1", job.Done).Progress
		if p.Records != n/2 || p.Skipped != n/2 || p.Repeats != 0 {
			t.Errorf("progress: %+v", p)
		}
		if took := time.Since(began); took < n/2/5*time.Second/2 {
			t.Errorf("%d letters took %v at 5 a second", n/2, took)
		}
		if left := w.held("WX_DEAD"); left != n/2 {
			t.Errorf("%d letters are left", left)
		}
		count := map[string]int{}
		for _, a := range w.answersOn("WX_PROFILES", n/2) {
			src, replay, _, err := events.ParseMsgID(a.msg.Headers()[events.HeaderMsgID][0])
			if err != nil || !src.Time.Equal(stored) || a.record.Replay != replay || a.record.Hop != 1 || a.record.Event.ID != fmt.Sprint("WX_EVENTS-", src.Seq) {
				t.Errorf("%v: %+v: %v", a.msg.Headers(), a.record, err)
			}
			count[replay]++
		}
		if count[""] != n/4 || count["replay-1"] != n/4 {
			t.Errorf("by generation: %v", count)
		}
	})
}

// answersOn reads n answers of one stream.
func (w *world) answersOn(name string, n int) (all []answer) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	found := make(chan jetstream.Msg, 100)
	w.follow(ctx, name, found)
	for range n {
		all = append(all, w.parse(<-found))
	}
	return all
}

// TestRedriveOfAPurgedLetter has somebody purge letters while they are tried
// again: their events are answered all the same, once.
func TestRedriveOfAPurgedLetter(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 300
		kv := w.bucket()
		w.publish(n, func(i int) []byte { return []byte(`{"user":"` + w.acc.OpenID(i) + `"}`) })
		cfg := lifelike()
		lane := w.start(cfg, w.board(kv))
		w.stored("WX_DEAD", n)
		w.settled(cfg.Durable)
		lane.stop()
		cfg.Fields = map[string]string{"openid": "user"}
		w.start(cfg, w.board(kv))
		viewer := w.viewer(kv)
		w.redrive(viewer, "redrive-1", dead.Selection{})
		w.until("calls are made", func() bool { return w.asked() > 0 })
		stream, err := w.js.Stream(w.Context(), "WX_DEAD")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.becomes(viewer, "redrive-1", job.Done)
		for seq, x := range w.everything() {
			if x != (told{records: 1, hop: 1}) {
				t.Errorf("event %d: %+v", seq, x)
			}
		}
		if w.held("WX_PROFILES") == 0 || w.held("WX_DEAD") != 0 {
			t.Errorf("%d records, %d letters", w.held("WX_PROFILES"), w.held("WX_DEAD"))
		}
	}, wechattest.WithLatency(wechattest.Constant(time.Second)))
}
