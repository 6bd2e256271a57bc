package pipeline_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// written counts the writes of an account's quota.
func (w *world) written(kv jetstream.KeyValue) *atomic.Int64 {
	w.Helper()
	watcher, err := kv.Watch(context.Background(), "quota.>", jetstream.UpdatesOnly())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = watcher.Stop() })
	n := new(atomic.Int64)
	go func() {
		for range watcher.Updates() {
			n.Add(1)
		}
	}()
	return n
}

// Three replicas as fast as they can be: together they spend the share that is
// ours, and no more than a batch of each beyond it, although some calls have to
// be made again.
func TestReplicasKeepToTheShare(t *testing.T) {
	for name, tc := range map[string]struct {
		perOpenID bool
		unit      string
		limit     int
	}{
		"openid":         {true, "openid", 4000},
		"call":           {false, "call", 200},
		"unknown call":   {false, "", 200},
		"unknown openid": {true, "", 4000},
	} {
		t.Run(name, func(t *testing.T) {
			account := wechattest.AccountConfig{
				Limits: wechattest.Limits{UserInfo: tc.limit},
				Quirks: wechattest.Quirks{CostPerOpenID: tc.perOpenID},
			}
			inBubble(t, account, func(w *world) {
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.1}, Do: wechattest.Action{Code: -1}})
				cfg := lifelike()
				cfg.QuotaUse, cfg.QuotaUnit, cfg.BatchSize, cfg.Recheck = 0.5, tc.unit, 20, 0
				kv := w.bucket()
				w.publish(3000, w.openid)
				writes := w.written(kv)
				lanes := []*running{w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv))}
				w.phase(lanes, pipeline.Held)
				for _, l := range lanes {
					if h := l.State().Hold; h.Reason != pipeline.HoldDailyQuota {
						t.Errorf("hold: %+v", h)
					}
				}
				q, err := w.client(appid, secret).Quota(w.Context(), "/cgi-bin/"+batchget)
				if err != nil {
					t.Fatal(err)
				}
				spent, limit, batch := int(q.Used), tc.limit/2, 1
				if tc.perOpenID {
					batch = cfg.BatchSize
				}
				t.Logf("%d spent of %d, %d writes", spent, limit, writes.Load())
				if spent > limit+3*batch || spent < limit*3/4 { // the calls that fail count for us, and not for WeChat
					t.Errorf("%d spent of %d", spent, limit)
				}
				if n := writes.Load(); n > 150 {
					t.Errorf("%d writes", n)
				}
				before := w.asked()
				time.Sleep(time.Hour)
				if n := w.asked() - before; n > 0 {
					t.Errorf("%d calls during the hold", n)
				}
				if n := writes.Load(); n > 150 {
					t.Errorf("%d writes", n)
				}
			}, wechattest.WithLatency(wechattest.Constant(10*time.Millisecond)))
		})
	}
}

// While plenty is left a busy replica writes once in two seconds, and an idle
// one never, not even with a limit that it could reach.
func TestPlentyCostsFewWrites(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BatchSize, cfg.Recheck = 1_000_000, "openid", 10, 0
		kv := w.bucket()
		writes := w.written(kv)
		lanes := []*running{w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv))}
		w.phase(lanes, pipeline.Running)
		time.Sleep(time.Minute)
		if n := writes.Load(); n != 0 {
			t.Errorf("%d writes by idle replicas", n)
		}
		w.publish(3000, w.openid)
		began := time.Now()
		w.answers(3000)
		busy := time.Since(began).Seconds()
		time.Sleep(time.Minute)
		most := 3 * (int64(busy/2) + 5) // one in two seconds; the first reserve, the reading and the last words
		if n := writes.Load(); n > most {
			t.Errorf("%d writes in %.0f busy seconds, want %d at most", n, busy, most)
		} else {
			t.Logf("%d writes in %.0f busy seconds", n, busy)
		}
		before := writes.Load()
		time.Sleep(time.Hour)
		if n := writes.Load() - before; n != 0 {
			t.Errorf("%d writes by idle replicas", n)
		}
	}, wechattest.WithLatency(wechattest.Constant(500*time.Millisecond)))
}

// A replica that has reserved something and has nothing more to do does not keep
// the others from it for long.
func TestIdleReplicaReservesNothingForLong(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 100}}, func(w *world) {
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BatchSize, cfg.Recheck = 20, "call", 10, 0
		kv := w.bucket()
		idle := w.start(cfg, w.board(kv))
		w.publish(15, w.openid) // two calls, and it has reserved more
		w.answers(15)
		busy := w.start(cfg, w.board(kv))
		w.until("it runs", func() bool { return busy.State().Phase == pipeline.Running })
		w.publish(400, w.openid)
		w.phase([]*running{idle, busy}, pipeline.Held)
		// A reading does not say which of the calls under way it has counted.
		if n := w.asked(); n < 20-cfg.Concurrency || n > 20+2 {
			t.Errorf("%d calls of the 20 that are ours", n)
		}
		if took := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); took > time.Minute {
			t.Errorf("they took %v", took)
		}
	}, wechattest.WithLatency(wechattest.Constant(10*time.Millisecond)))
}

// Somebody has the quota cleared by hand and says so: all replicas go on within
// two seconds, and none has called before.
func TestResumeTakesEffectAtOnce(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 5}}, func(w *world) {
		cfg := lifelike()
		cfg.Recheck = 0
		kv := w.bucket()
		lanes := []*running{w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv)), w.start(cfg, w.board(kv))}
		w.phase(lanes, pipeline.Running)
		w.publish(2000, w.openid)
		w.phase(lanes, pipeline.Held)
		time.Sleep(time.Hour)
		calls := w.asked()

		w.acc.SetLimits(wechattest.Limits{})
		time.Sleep(time.Hour)
		if n := w.asked() - calls; n != 0 {
			t.Errorf("%d calls before anybody said a word", n)
		}
		board, err := pipeline.OpenBoard(w.Context(), kv, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer board.Close()
		before := w.held("WX_PROFILES")
		if held, err := board.Resume(w.Context(), appid); err != nil || len(held) != 1 {
			t.Fatalf("%d holds, %v", len(held), err)
		}
		time.Sleep(2 * time.Second)
		for i, l := range lanes {
			if s := l.State(); s.Phase != pipeline.Running {
				t.Errorf("replica %d after two seconds: %+v", i, s)
			}
		}
		if n := w.held("WX_PROFILES") - before; n == 0 {
			t.Error("no record after two seconds")
		}
		w.answers(2000)
	}, wechattest.WithLatency(wechattest.Constant(50*time.Millisecond)))
}
