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
func (w *world) redrive(b *pipeline.Board, id string, sel dead.Selection) {
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
	if err := b.AddJob(w.Context(), job.Job{
		ID: id, AppID: appid, Kind: job.Redrive, Lane: config().Durable, Range: r,
		Spec:  job.Spec{Letters: &job.Letters{Selection: sel, MaxHops: 3, Oldest: state.FirstTime}},
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
				p := w.becomes(viewer, "redrive-1", job.Done).Progress
				t.Logf("%+v, %d calls", p, w.asked())
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
