package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// liveWaits are how long live events waited for their records: those that came
// behind a sequence.
func (w *world) liveWaits(behind uint64, n int) (longest, sum time.Duration) {
	w.Helper()
	c, err := w.js.OrderedConsumer(w.Context(), "WX_PROFILES", orderedHeaders)
	if err != nil {
		w.Fatal(err)
	}
	for range w.held("WX_PROFILES") {
		m, err := c.Next()
		if err != nil {
			w.Fatal(err)
		}
		src, replay, _, err := events.ParseMsgID(m.Headers().Get(events.HeaderMsgID))
		if err != nil {
			w.Fatal(err)
		}
		if meta, err := m.Metadata(); err == nil && replay == "" && src.Seq > behind {
			wait := meta.Timestamp.Sub(src.Time)
			longest, sum, n = max(longest, wait), sum+wait, n-1
		}
	}
	if n != 0 {
		w.Errorf("%d live events are not answered", n)
	}
	return longest, sum
}

// The clock of a bubble shows what bulk work adds to the waits of live events by
// its calls, and nothing of what the machine adds.
func TestReplayIsBelowLiveTraffic(t *testing.T) {
	for name, rate := range map[string]float64{"any rate": 0, "few calls a second": 8} {
		t.Run(name, func(t *testing.T) {
			var longest, sum [2]time.Duration
			for i, replay := range []bool{false, true} {
				inBubble(t, wechattest.AccountConfig{}, func(w *world) {
					const n, live = 800, 50
					kv := w.bucket()
					viewer := w.viewer(kv)
					cfg := lifelike()
					cfg.Rate = rate
					w.publish(n, w.openid)
					w.start(cfg, w.board(kv))
					w.stored("WX_PROFILES", n)
					if replay {
						w.replay(viewer, "replay-1", 1, n, job.Spec{})
					}
					began := w.held("WX_PROFILES")
					for i := range live {
						w.publish(1, func(int) []byte { return w.openid(n + i) })
						time.Sleep(20 * time.Millisecond)
					}
					during := w.held("WX_PROFILES") - began
					if replay {
						w.becomes(viewer, "replay-1", job.Done)
						w.eachOnce("replay-1", 1, n)
						if rate == 0 && during < live+500 { // a rate that early live calls use up leaves little
							t.Errorf("%d answers while live traffic went on: the replay does not get on", during)
						}
					}
					time.Sleep(time.Minute)
					longest[i], sum[i] = w.liveWaits(n, live)
				}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
			}
			t.Logf("live events wait %v at most, %v in all; beside a replay %v and %v", longest[0], sum[0], longest[1], sum[1])
			if longest[1] > longest[0]*13/10 || sum[1] > sum[0]*13/10 {
				t.Errorf("live events wait %v at most and %v in all beside a replay; without %v and %v", longest[1], sum[1], longest[0], sum[0])
			}
		})
	}
}

func TestReplayKeepsToItsShare(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 3000
		kv := w.bucket()
		viewer := w.viewer(kv)
		cfg := lifelike()
		cfg.QuotaLimit, cfg.QuotaUnit, cfg.BulkShare = 1000, "call", 0.02
		w.publish(n, w.openid)
		lane := w.start(cfg, w.board(kv))
		w.stored("WX_PROFILES", n) // 60 calls
		w.replay(viewer, "replay-1", 1, n, job.Spec{})
		var j job.Job
		w.until("it waits", func() bool { j, _ = viewer.Job("replay-1"); return j.Note != "" })
		if calls := w.asked() - n/100; calls > 20 || calls < 15 {
			t.Errorf("%d calls for a replay that may have 20", calls)
		}
		w.backfill(viewer, "backfill-dry", job.Spec{DryRun: true}) // spends nothing of it
		w.becomes(viewer, "backfill-dry", job.Done)
		w.publish(500, w.openid)
		w.until("live events are answered", func() bool { return lane.Stats().Counts().Records == n+500 })
		if h := lane.State().Hold; h != nil {
			t.Errorf("the account is on hold: %+v", h)
		}
	})
}

var orderedHeaders = jetstream.OrderedConsumerConfig{HeadersOnly: true}

func TestReplayRestsWithItsAccount(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 3000
		kv := w.bucket()
		viewer := w.viewer(kv)
		w.publish(n, w.openid)
		lane := w.start(lifelike(), w.board(kv))
		w.stored("WX_PROFILES", n)
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
		calls := w.asked()
		w.replay(viewer, "replay-1", 1, n, job.Spec{})
		w.until("it says why it waits", func() bool { j, _ := viewer.Job("replay-1"); return j.Note == "the account is on hold: operator" })
		w.until("live look-ups rest too", func() bool { return lane.State().Hold != nil })
		time.Sleep(time.Hour)
		if asked := w.asked() - calls; asked > 3+2*5 {
			t.Errorf("%d calls in an hour on hold", asked)
		}
		mend()
		w.becomes(viewer, "replay-1", job.Done)
		w.eachOnce("replay-1", 1, n)
		if h := lane.State().Hold; h != nil {
			t.Errorf("the account is still on hold: %+v", h)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}
