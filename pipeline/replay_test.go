package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// viewer is a board for somebody who only looks and asks for things.
func (w *world) viewer(kv jetstream.KeyValue) *pipeline.Board {
	w.Helper()
	var d pipeline.Deps
	w.board(kv)(&d)
	return d.Board
}

// replay writes down a job for a range of the input.
func (w *world) replay(b *pipeline.Board, id string, from, to uint64, spec job.Spec) {
	w.Helper()
	stream, err := w.js.Stream(w.Context(), "WX_EVENTS")
	if err != nil {
		w.Fatal(err)
	}
	cfg := config()
	r := job.Range{Stream: "WX_EVENTS", Born: stream.CachedInfo().Created, Subjects: cfg.Subjects, From: from, To: to}
	total, err := pipeline.CountRange(w.Context(), w.js, r)
	if err != nil {
		w.Fatal(err)
	}
	if err := b.AddJob(w.Context(), job.Job{
		ID: id, AppID: appid, Kind: job.Replay, Lane: cfg.Durable, Spec: spec, Range: r,
		State: job.Pending, Created: time.Now(), Progress: job.Progress{Total: int64(total)},
	}); err != nil {
		w.Fatal(err)
	}
}

// becomes waits until a job is in a state.
func (w *world) becomes(b *pipeline.Board, id string, want job.State) job.Job {
	w.Helper()
	var j job.Job
	w.until("job "+id+" is "+string(want), func() bool {
		j, _ = b.Job(id)
		return j.State == want && (want == job.Running || j.Holder == "")
	})
	return j
}

// generation counts the answers of a replay by the sequence of their event.
func (w *world) generation(id string) map[uint64]int {
	w.Helper()
	count := make(map[uint64]int)
	for _, name := range []string{"WX_PROFILES", "WX_DEAD"} {
		n := w.held(name)
		if n == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), w.patience)
		found := make(chan jetstream.Msg, 100)
		w.follow(ctx, name, found)
		for range n {
			src, replay, _, err := events.ParseMsgID((<-found).Headers()[events.HeaderMsgID][0])
			if err != nil {
				w.Fatal(err)
			}
			if replay == id {
				count[src.Seq]++
			}
		}
		cancel()
	}
	return count
}

// eachOnce fails the test unless a replay has answered each event of a range
// once, and nothing else.
func (w *world) eachOnce(id string, from, to uint64) {
	w.Helper()
	count := w.generation(id)
	for seq, n := range count {
		if n != 1 || seq < from || seq > to {
			w.Errorf("event %d has %d answers under %s", seq, n, id)
		}
	}
	if want := int(to - from + 1); len(count) != want {
		w.Errorf("%d events are answered under %s, want %d", len(count), id, want)
	}
}

func TestReplayARange(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n, from, to = 3000, 1001, 2000
		kv := w.bucket()
		w.publish(n, func(i int) []byte {
			if i%100 == 0 {
				return []byte("not an openid")
			}
			return w.openid(i)
		})
		lane := w.start(lifelike(), w.board(kv))
		w.answers(n)
		time.Sleep(longAfter)
		calls := w.asked()
		viewer := w.viewer(kv)
		w.replay(viewer, "replay-1", from, to, job.Spec{})
		j := w.becomes(viewer, "replay-1", job.Done)
		w.eachOnce("replay-1", from, to)
		if p := j.Progress; p.Total != 1000 || p.Done != 1000 || p.Records != 990 || p.Dead != 10 || p.Calls > 11 {
			t.Errorf("progress: %+v", p)
		}
		if done, atWork := lane.Bulk(job.Replay); atWork || done.Done != 1000 || done.Records != 990 || done.Dead != 10 || done.Calls != j.Progress.Calls {
			t.Errorf("as metrics: %+v, at work %v", done, atWork)
		}
		if done, _ := lane.Bulk(job.Backfill); done != (job.Progress{}) {
			t.Errorf("of other kinds: %+v", done)
		}
		if asked := w.asked() - calls; asked > 11 {
			t.Errorf("%d calls for 990 people, want 10 or 11", asked)
		}
		if _, err := w.js.Consumer(w.Context(), "WX_EVENTS", "replay-1"); err == nil {
			t.Error("its durable is still there")
		}
		if keys, err := kv.Get(w.Context(), "mark."+appid+".replay-1"); err == nil {
			t.Errorf("its mark is still there: %s", keys.Value())
		}
	})
}

// What a replay leaves out takes nothing from its rate, and its price knows that.
func TestReplayLeavesOut(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		kv := w.bucket()
		w.publish(500, w.openid)
		cfg := lifelike()
		w.start(cfg, w.board(kv))
		w.answers(500)
		w.settled(cfg.Durable)
		time.Sleep(longAfter)
		viewer := w.viewer(kv)
		calls, began := w.asked(), time.Now()
		const rate = 0.5
		w.replay(viewer, "replay-1", 1, 500, job.Spec{OpenIDs: []string{w.acc.OpenID(7), w.acc.OpenID(8), w.acc.OpenID(9)}, Types: []string{"subscribe"}, Rate: rate})
		j := w.becomes(viewer, "replay-1", job.Done)
		p := j.Progress
		took := time.Since(began)
		price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
		if calls = w.asked() - calls; err != nil || price.Expected.Calls != int64(calls) {
			t.Errorf("%d calls, the price is %+v: %v", calls, price, err)
		}
		if takes := price.Takes(rate); takes != 6*time.Second || took < takes-3*time.Second || took > takes+5*time.Second {
			t.Errorf("3 events took %v at %g a second, priced at %v", took, rate, takes)
		}
		if p.Records != 3 || p.Skipped != 497 || p.Done != 500 {
			t.Errorf("progress: %+v", p)
		}
		if got := w.generation("replay-1"); got[8] != 1 || got[9] != 1 || got[10] != 1 || len(got) != 3 {
			t.Errorf("answered: %v", got)
		}
	})
}

// replica is a lane that can die without a word.
type replica struct {
	*running
	conns []*nats.Conn
	board *pipeline.Board
}

// replica starts a lane whose every word goes over connections of its own.
func (w *world) replica(cfg pipeline.Config, more ...func(jetstream.JetStream, *pipeline.Deps)) *replica {
	w.Helper()
	r := new(replica)
	connect := func(opts ...nats.Option) *nats.Conn {
		nc := w.nats.Connect(opts...)
		r.conns = append(r.conns, nc)
		return nc
	}
	js, err := jetstream.New(connect())
	if err != nil {
		w.Fatal(err)
	}
	kv, err := js.KeyValue(w.Context(), "WX_STATE")
	if err != nil {
		w.Fatal(err)
	}
	out, err := pipeline.NewPublisher(connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		w.Fatal(err)
	}
	if r.board, err = pipeline.OpenBoard(context.Background(), kv, slog.New(slog.DiscardHandler)); err != nil {
		w.Fatal(err)
	}
	r.running = w.start(cfg, func(d *pipeline.Deps) {
		d.JS, d.Out, d.Board = js, out, r.board
		d.Log = slog.New(slog.DiscardHandler) // a dead one complains
		for _, with := range more {
			with(js, d)
		}
	})
	w.Cleanup(r.board.Close)
	return r
}

// kill cuts the replica off from one moment to the next: what it has in hand it
// has for ever, and nobody hears of it again.
func (r *replica) kill() {
	for _, nc := range r.conns {
		nc.Close()
	}
	r.stop()
	r.board.Close()
}

func TestReplayKilledThrice(t *testing.T) {
	for name, between := range map[string]time.Duration{
		"at once":          0,
		"after the window": longAfter,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 12_000 / min(scale, 4)
				w.bucket()
				w.publish(n, func(i int) []byte {
					if i%100 == 50 {
						return []byte("not an openid")
					}
					return w.openid(i)
				})
				cfg := lifelike()
				r := w.replica(cfg)
				w.stored("WX_PROFILES", n-n/100)
				w.settled(cfg.Durable)
				time.Sleep(longAfter)
				kv, err := w.js.KeyValue(w.Context(), "WX_STATE")
				if err != nil {
					t.Fatal(err)
				}
				viewer := w.viewer(kv)
				w.replay(viewer, "replay-1", 1, n, job.Spec{})
				for i := range 3 {
					w.stored("WX_PROFILES", n-n/100+(i+1)*n/4)
					r.kill()
					time.Sleep(between)
					r = w.replica(cfg)
				}
				j := w.becomes(viewer, "replay-1", job.Done)
				w.eachOnce("replay-1", 1, n)
				p := j.Progress
				t.Logf("%+v, %d calls in all", p, w.asked())
				if want := (job.Progress{Total: n, Done: n, Records: n - n/100, Dead: n / 100, Calls: p.Calls, Active: p.Active}); p != want || scale == 1 && j.TakenOver != 3 {
					t.Errorf("taken over %d times: %+v, want %+v", j.TakenOver, p, want)
				}
				if extra := w.asked() - 2*n/100; extra > 3*10 {
					t.Errorf("%d calls were made again", extra)
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}

// TestReplayOfAPartKilled leaves out events, so that what has no answer is no
// loss.
func TestReplayOfAPartKilled(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 4_000
		kv := w.bucket()
		w.publish(n, func(i int) []byte {
			return []byte(`{"openid":"` + w.acc.OpenID(i) + `","type":"` + []string{"subscribe", "SCAN"}[i%2] + `"}`)
		})
		cfg := lifelike()
		r := w.replica(cfg)
		w.stored("WX_PROFILES", n)
		w.settled(cfg.Durable)
		time.Sleep(longAfter)
		viewer := w.viewer(kv)
		w.replay(viewer, "replay-1", 1, n, job.Spec{Types: []string{"SCAN"}, Rate: 400})
		w.stored("WX_PROFILES", n+n/4)
		r.kill()
		w.replica(cfg)
		j := w.becomes(viewer, "replay-1", job.Done)
		p := j.Progress
		if want := (job.Progress{Total: n, Done: n, Records: n / 2, Skipped: n / 2, Calls: p.Calls, Active: p.Active}); p != want || j.TakenOver != 1 {
			t.Errorf("taken over %d times: %+v, want %+v", j.TakenOver, p, want)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// A job that waits for its share of the quota does not spend more of it because it
// is paused, or its replica stopped; and the price of another says that it would wait.
func TestReplayPausedWithoutQuota(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 1_000
		kv := w.bucket()
		w.publish(n, w.openid)
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BulkShare = 100, "call", 0.05
		r := w.start(cfg, w.board(kv))
		w.stored("WX_PROFILES", n)
		w.settled(cfg.Durable)
		viewer := w.viewer(kv)
		waits := func(from uint64) bool {
			j := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: cfg.Subjects, From: from, To: n}}
			price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
			q, known := viewer.Quota(cfg, time.Now())
			if err != nil || !known || price.Expected.Calls == 0 {
				t.Errorf("price %+v, quota %+v: %v", price, q, err)
			}
			return price.Waits(cfg, q)
		}
		time.Sleep(longAfter)
		if waits(1) {
			t.Error("it would wait, by its price, though nothing of the share is spent")
		}
		w.replay(viewer, "replay-1", 1, n, job.Spec{})
		w.until("it waits for its share", func() bool {
			j, err := viewer.Job("replay-1")
			return err == nil && strings.Contains(j.Note, "quota")
		})
		time.Sleep(time.Minute)
		if !waits(n) {
			t.Error("it would not wait, by its price, though the share is spent")
		}
		spent := w.asked()
		if _, err := viewer.ChangeJob(w.Context(), appid, "replay-1", (*job.Job).Pause); err != nil {
			t.Fatal(err)
		}
		w.becomes(viewer, "replay-1", job.Paused)
		time.Sleep(time.Minute)
		if _, err := viewer.ChangeJob(w.Context(), appid, "replay-1", (*job.Job).Resume); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.stop()
		if more := w.asked() - spent; more != 0 {
			t.Errorf("%d calls beyond its share, %d before", more, spent)
		}
	})
}

// TestReplayAtASmallRate does not wait until so few events fill a call, and costs
// the calls that its price says.
func TestReplayAtASmallRate(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 200
		kv := w.bucket()
		w.publish(n, w.openid)
		cfg := lifelike()
		w.start(cfg, w.board(kv))
		w.answers(n)
		w.settled(cfg.Durable)
		time.Sleep(longAfter)
		viewer := w.viewer(kv)
		calls, began := w.asked(), time.Now()
		w.replay(viewer, "replay-1", 1, n, job.Spec{Rate: 5})
		j, err := viewer.Job("replay-1")
		if err != nil {
			t.Fatal(err)
		}
		w.until("the first record", func() bool { return w.held("WX_PROFILES") > n })
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("the first record came after %v", waited)
		}
		w.becomes(viewer, "replay-1", job.Done)
		if took := time.Since(began); took < 39*time.Second || took > 45*time.Second {
			t.Errorf("%d events took %v at 5 a second", n, took)
		}
		price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
		if took := w.asked() - calls; err != nil || math.Abs(float64(price.Expected.Calls)/float64(took)-1) > 0.05 {
			t.Errorf("%d calls, the price is %+v: %v", took, price, err)
		} else {
			t.Logf("%d calls, priced at %d", took, price.Expected)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// TestReplayIntoSomethingElse is of jobs that somebody has written who did not
// look where their records go.
func TestReplayIntoSomethingElse(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 10
		kv := w.bucket()
		w.publish(n, w.openid)
		w.start(lifelike(), w.board(kv))
		w.answers(n)
		viewer := w.viewer(kv)
		for i, subject := range []string{"wx.events.{appid}.subscribe", "wx.events.wxother.{type}", "wx.dead.{appid}.{type}"} {
			id := fmt.Sprint("replay-", i)
			w.replay(viewer, id, 1, n, job.Spec{Output: subject})
			if j := w.becomes(viewer, id, job.Failed); !strings.Contains(j.Note, "which is for ") {
				t.Errorf("%s: %s", subject, j.Note)
			}
			if _, err := viewer.ChangeJob(w.Context(), appid, id, func(j *job.Job) error { return j.Cancel(time.Now()) }); err != nil {
				t.Fatal(err)
			}
		}
		if events, letters := w.held("WX_EVENTS"), w.held("WX_DEAD"); events != n || letters != 0 {
			t.Errorf("%d events, %d letters", events, letters)
		}
	})
}

// TestReplayAcceptsRecentLookUps: with a max age what another replay has looked up
// a moment ago serves too, and without one only what is asked for since.
func TestReplayAcceptsRecentLookUps(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 300
		kv := w.bucket()
		w.publish(n, w.openid)
		w.start(lifelike(), w.board(kv), func(d *pipeline.Deps) { d.Recent = pipeline.NewRecent(1 << 20) })
		w.answers(n)
		time.Sleep(2 * time.Hour)
		viewer := w.viewer(kv)
		for i, c := range []struct {
			maxAge time.Duration
			calls  int
		}{
			{time.Hour, n / 100}, // the live lane's are older
			{time.Hour, 0},       // the first one's are not
			{0, n / 100},
			{time.Minute, n / 100}, // all are older
		} {
			calls, id := w.asked(), fmt.Sprint("replay-", i)
			w.replay(viewer, id, 1, n, job.Spec{MaxAge: c.maxAge})
			if p := w.becomes(viewer, id, job.Done).Progress; p.Records != n || w.asked()-calls != c.calls {
				t.Errorf("%d: %d calls, want %d; %+v", i, w.asked()-calls, c.calls, p)
			}
			w.eachOnce(id, 1, n)
			time.Sleep(2 * time.Minute)
		}
	})
}
