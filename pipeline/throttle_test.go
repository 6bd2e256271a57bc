package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestMinuteLimitIsFoundOut(t *testing.T) {
	const perMinute, minutes = 120, 10
	account := wechattest.AccountConfig{Limits: wechattest.Limits{PerMinute: perMinute}}
	inBubble(t, account, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize = 4
		w.publish(4*perMinute*minutes, w.openid)
		nextMinute()
		began := time.Now()
		lane := w.start(cfg)
		time.Sleep(minutes * time.Minute)
		took := time.Since(began).Minutes()
		stats := w.acc.Stats()
		done, refused := stats.Codes[0], stats.Codes[45011]
		t.Logf("%d calls answered and %d refused in %.0f minutes; rate %.2f", done, refused, took, lane.RateLimit())
		if refused > minutes {
			t.Errorf("%d calls refused in %d minutes", refused, minutes)
		}
		if share := float64(done) / (perMinute * took); share < 0.6 {
			t.Errorf("%.2f of the calls that WeChat allows", share)
		}
		if lane.State().Phase != pipeline.Running {
			t.Errorf("state: %+v", lane.State())
		}
	}, wechattest.WithLatency(wechattest.Constant(80*time.Millisecond)), wechattest.WithLog(0))
}

func TestCallsInFlightTogetherHalveTheRateOnce(t *testing.T) {
	const perMinute = 240
	account := wechattest.AccountConfig{Limits: wechattest.Limits{PerMinute: perMinute}}
	inBubble(t, account, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize, cfg.Concurrency = 20, 64
		w.publish(10_000, w.openid)
		nextMinute()
		lane := w.start(cfg)
		if lane.RateLimit() != 0 {
			t.Errorf("the rate is limited to %g before anything is known", lane.RateLimit())
		}
		refused := func() int { return w.acc.Stats().Codes[45011] }
		w.until("calls are refused", func() bool { return refused() > 0 })
		time.Sleep(time.Second) // all that were in flight are back
		stats := w.acc.Stats()
		if n := refused(); n < 2 || n > 64 {
			w.Fatalf("%d calls refused, want some that were in flight together", n)
		}
		// 240 calls in a minute were too much: that is 4 a second, half of it 2.
		if got := lane.RateLimit(); got < 1.2 || got > 3 {
			t.Errorf("the rate is limited to %g, want about 2", got)
		}
		// None is wasted on a minute that is over, and the next goes on with
		// nobody refused.
		nextMinute()
		w.until("calls are answered again", func() bool { return w.acc.Stats().Codes[0] > stats.Codes[0]+20 })
		if n := refused() - stats.Codes[45011]; n != 0 {
			t.Errorf("%d more calls refused", n)
		}
	}, wechattest.WithLatency(wechattest.Constant(80*time.Millisecond)))
}

func TestOverloadHalvesTheRate(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize = 4
		w.publish(1200, w.openid)
		lane := w.start(cfg)
		time.Sleep(5 * time.Second) // 40 calls a second
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Times: 4, Do: wechattest.Action{Status: 561}})
		w.until("the rate is limited", func() bool { return lane.RateLimit() > 0 })
		if got := lane.RateLimit(); got > 25 {
			t.Errorf("the rate is limited to %g, want half of 40 at most", got)
		}
		w.answers(1200)
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

func TestSlowStartAfterAHold(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 200}}, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize = 4
		w.publish(1600, w.openid)
		lane := w.start(cfg)
		w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		held := time.Now()
		w.until("the account is tried again", func() bool { return lane.State().Phase != pipeline.Held || time.Since(held) > 26*time.Hour })
		if got := lane.RateLimit(); got == 0 || got > 2 {
			t.Errorf("begins with %g calls a second, want 2", got)
		}
		before := w.asked()
		time.Sleep(3 * time.Second)
		if n := w.asked() - before; n < 3 || n > 60 {
			t.Errorf("%d calls in the first three seconds", n)
		}
	}, wechattest.WithLatency(wechattest.Constant(10*time.Millisecond)))
}

// nextMinute sleeps until a minute begins.
func nextMinute() { time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))) }
