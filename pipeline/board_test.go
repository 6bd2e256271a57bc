package pipeline_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// bucket is the state bucket.
func (w *world) bucket() jetstream.KeyValue {
	w.Helper()
	kv, err := w.js.CreateKeyValue(w.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"})
	if err != nil {
		w.Fatal(err)
	}
	return kv
}

// board makes a lane one of several replicas.
func (w *world) board(kv jetstream.KeyValue) func(*pipeline.Deps) {
	w.Helper()
	board, err := pipeline.OpenBoard(context.Background(), kv, slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(board.Close)
	return func(d *pipeline.Deps) { d.Board = board }
}

// replicas starts n lanes of the account that share a board.
func (w *world) replicas(n int, kv jetstream.KeyValue, opts ...func(*pipeline.Deps)) []*running {
	w.Helper()
	lanes := make([]*running, n)
	for i := range lanes {
		lanes[i] = w.start(config(), append(opts, w.board(kv))...)
	}
	return lanes
}

func (w *world) phase(lanes []*running, phase pipeline.Phase) {
	w.Helper()
	w.until("all replicas are "+string(phase), func() bool {
		for _, l := range lanes {
			if l.State().Phase != phase {
				return false
			}
		}
		return true
	})
}

func TestReplicasShareAHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 5}})
	kv := w.bucket()
	lanes := w.replicas(3, kv)
	w.phase(lanes, pipeline.Running)
	w.publish(2000, w.openid)
	w.phase(lanes, pipeline.Held)
	w.until("all have heard of it", func() bool {
		return !slices.ContainsFunc(lanes, func(l *running) bool { return l.State().Hold.By == "" })
	})
	e, err := kv.Get(t.Context(), "hold."+appid)
	if err != nil {
		t.Fatal(err)
	}
	var h pipeline.Hold
	if err := json.Unmarshal(e.Value(), &h); err != nil {
		t.Fatal(err)
	}
	if h.Reason != pipeline.HoldDailyQuota || h.By == "" || h.Hint == "" {
		t.Errorf("what is written down: %s", e.Value())
	}
	for _, l := range lanes {
		if got := l.State().Hold; !got.Until.Equal(h.Until) || got.By != h.By {
			t.Errorf("a replica holds until %v (by %s), the board says %v (by %s)", got.Until, got.By, h.Until, h.By)
		}
	}

	w.acc.SetLimits(wechattest.Limits{})
	resumed := time.Now()
	if err := kv.Delete(t.Context(), "hold."+appid); err != nil {
		t.Fatal(err)
	}
	w.phase(lanes, pipeline.Running)
	t.Logf("all run %v after the hold was taken away", time.Since(resumed))
	w.answers(2000)
}

func TestHoldOutlivesARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 5}})
	kv := w.bucket()
	w.publish(2000, w.openid)
	first := w.start(config(), w.board(kv))
	w.until("it is on hold", func() bool { return first.State().Phase == pipeline.Held })
	first.stop()
	calls := w.asked()
	second := w.start(config(), w.board(kv))
	w.until("the other is too", func() bool { return second.State().Phase == pipeline.Held })
	if n := w.asked() - calls; n != 0 {
		t.Errorf("%d calls by a replica that could have known", n)
	}
	if c := second.Stats().Counts(); c.Received != 0 {
		t.Errorf("%d events taken during a hold", c.Received)
	}
}

func TestAddressHoldIsTheReplicasOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	kv := w.bucket()
	blocked := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 40164}})
	lame := w.start(config(), w.board(kv))
	w.publish(100, w.openid)
	w.until("it is on hold", func() bool { return lame.State().Phase == pipeline.Held })
	if h := lame.State().Hold; h.Reason != pipeline.HoldAddress {
		t.Fatalf("hold: %+v", h)
	}
	blocked()
	w.start(config(), w.board(kv))
	w.answers(100)
	if lame.State().Phase != pipeline.Held {
		t.Error("the replica whose address is refused goes on")
	}
	// A person says that it is mended, without knowing the replica's name.
	if err := kv.Delete(t.Context(), "hold."+appid); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return lame.State().Phase == pipeline.Running })
}

func TestMendedSecretIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Secret: "another one than the lane's"})
	kv := w.bucket()
	w.publish(300, w.openid)
	var mended atomic.Bool
	lanes := w.replicas(2, kv, func(d *pipeline.Deps) {
		d.Renewed = func() bool { return mended.CompareAndSwap(true, false) }
	})
	w.phase(lanes, pipeline.Held)
	w.acc.SetSecret(secret)
	mended.Store(true)
	began := time.Now()
	w.answers(300)
	w.phase(lanes, pipeline.Running)
	t.Logf("answered %v after the secret was mended", time.Since(began))
}

func TestManualHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	kv := w.bucket()
	lanes := w.replicas(2, kv)
	w.phase(lanes, pipeline.Running)
	value, err := json.Marshal(pipeline.Hold{Reason: pipeline.HoldManual, By: "ada", Since: time.Now(), Until: time.Now().Add(2 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "hold."+appid, value); err != nil {
		t.Fatal(err)
	}
	w.phase(lanes, pipeline.Held)
	w.publish(10, w.openid)
	w.phase(lanes, pipeline.Running)
	w.answers(10)
}

func TestLaneGoesOnWithoutItsBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 1}})
	kv := w.bucket()
	lane := w.start(config(), w.board(kv))
	if err := w.js.DeleteKeyValue(t.Context(), "WX_STATE"); err != nil {
		t.Fatal(err)
	}
	w.publish(300, w.openid)
	w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
	w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
}

// Three replicas, a quota for five hundred of nine hundred batches, and the
// night between: one of them asks once after a minute and once after midnight.
func TestReplicasProbeOnce(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 50}}, func(w *world) {
		const n = 9000
		time.Sleep(12 * time.Hour) // the bubble begins at midnight UTC: three hours are left until Beijing's
		w.publish(n, w.openid)
		cfg := lifelike()
		cfg.Recheck = 0
		kv := w.bucket()
		var lanes []*running
		for range 3 {
			lanes = append(lanes, w.start(cfg, w.board(kv)))
		}
		w.phase(lanes, pipeline.Held)
		w.until("all have heard of it", func() bool {
			return !slices.ContainsFunc(lanes, func(l *running) bool { return l.State().Hold.By == "" })
		})
		before := w.asked()
		w.answers(5000)
		time.Sleep(time.Hour)
		if probes := w.asked() - before; probes != 1 {
			t.Errorf("%d calls in the first hour, want one probe of one replica", probes)
		}
		w.answers(n)
		var calls int64
		for _, l := range lanes {
			c := l.Stats().Counts()
			calls += c.Calls
			if c.Records == 0 {
				t.Error("a replica did nothing")
			}
		}
		// 50 on the first day, as many refused as were on their way, two probes,
		// and the rest, which three replicas share out.
		if calls > 50+12+2+40+9 {
			t.Errorf("%d calls", calls)
		}
	})
}

// Somebody deletes the bucket during a hold, and a replica that starts makes it
// anew: those that run are reached through it again.
func TestBucketIsMadeAnew(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 5}}, func(w *world) {
		kv := w.bucket()
		cfg := lifelike()
		lanes := []*running{w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv))}
		w.publish(2000, w.openid)
		w.phase(lanes, pipeline.Held)
		time.Sleep(2 * time.Minute)
		if err := w.js.DeleteKeyValue(w.Context(), "WX_STATE"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		kv = w.bucket()
		time.Sleep(2 * bornWithin)

		w.acc.SetLimits(wechattest.Limits{})
		if err := kv.Delete(w.Context(), "hold."+appid); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		w.phase(lanes, pipeline.Running)
		w.answers(2000)

		value, err := json.Marshal(pipeline.Hold{Reason: pipeline.HoldManual, By: "ada", Since: time.Now()})
		if err != nil {
			w.Fatal(err)
		}
		if _, err := kv.Put(w.Context(), "hold."+appid, value); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		w.phase(lanes, pipeline.Held)
	})
}

// bornWithin is how long a new bucket may go unnoticed.
const bornWithin = 10 * time.Second

// Whoever worked before may have left WeChat; those who wait show that the
// account works.
func TestKnownGoodHasLeft(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.Canary = w.acc.BadOpenID(1)
		w.publish(1, func(int) []byte { return []byte(w.acc.BadOpenID(2)) })
		lane := w.start(cfg)
		w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		w.publish(100, w.openid)
		time.Sleep(time.Hour)
		if n := w.held("WX_PROFILES"); n != 100 {
			t.Errorf("%d of 100 good events are answered after an hour: %+v", n, lane.State())
		}
	})
}

// Accounts redrive beside each other; of one account's that begin in the same moment
// only one may.
func TestNextJobID(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	next := func(appid string, behind ...job.Job) string {
		return pipeline.NextJobID(job.Redrive, appid, now, behind)
	}
	first := next("wxa")
	done := job.Job{ID: first, AppID: "wxa", Kind: job.Redrive, State: job.Done}
	replay := job.Job{ID: "replay-1", AppID: "wxa", Kind: job.Replay, State: job.Done}
	for name, c := range map[string]struct {
		id   string
		same bool
	}{
		"the same moment":              {next("wxa"), true},
		"beside a job of another kind": {next("wxa", replay), true},
		"the one behind it":            {next("wxa", done), false},
		"another account's":            {next("wxb"), false},
	} {
		if (c.id == first) != c.same {
			t.Errorf("%s: %s and %s", name, first, c.id)
		}
	}
}
