package pipeline_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
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
		halved := lane.RateLimit()
		if halved > 25 {
			t.Errorf("the rate is limited to %g, want half of 40 at most", halved)
		}
		time.Sleep(5 * time.Second)
		if got := lane.RateLimit(); got <= halved || got > 1.5*halved {
			t.Errorf("the rate is limited to %g five seconds after it was halved to %g, want a little more", got, halved)
		}
		w.answers(1200)
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

// atOnce counts the calls in flight.
type atOnce struct {
	pipeline.Directory
	now, most atomic.Int64
}

func (a *atOnce) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	a.most.Store(max(a.most.Load(), a.now.Add(1)))
	defer a.now.Add(-1)
	return a.Directory.BatchGet(ctx, qs)
}

// Under an overload calls take longer, so that half the rate alone may be as
// many at once as before.
func TestOverloadHalvesTheCallsInFlight(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.BatchSize, cfg.Concurrency = 2, 16
		w.publish(600, w.openid)
		dir := &atOnce{Directory: w.client(appid, secret)}
		w.start(cfg, func(d *pipeline.Deps) { d.WeChat = dir })
		time.Sleep(3 * time.Second)
		if n := dir.most.Load(); n != 16 {
			t.Errorf("%d calls at once before, want 16", n)
		}
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Times: 16, Do: wechattest.Action{Status: 561}})
		time.Sleep(time.Second) // all have been refused
		slow := wechattest.Constant(2 * time.Second)
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Latency: &slow}})
		dir.most.Store(0)
		time.Sleep(2 * time.Second)
		halved := dir.most.Load()
		if halved < 8 || halved > 10 {
			t.Errorf("%d calls at once, want half of 16, and one more in a second", halved)
		}
		time.Sleep(6 * time.Second)
		if n := dir.most.Load(); n <= halved || n > 15 {
			t.Errorf("%d calls at once six seconds later, want a little more than %d", n, halved)
		}
	}, wechattest.WithLatency(wechattest.Constant(400*time.Millisecond)))
}

// A call that is made again waits for its turn like any other, however often it
// fails and however short the backoff.
func TestRetriesKeepToTheRate(t *testing.T) {
	for name, do := range map[string]wechattest.Action{
		"busy":        {Code: -1},
		"gateway":     {Status: 502},
		"stale token": {Code: 40001},
		"bad openid":  {Code: 40003},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.7}, Do: do})
				cfg := lifelike()
				cfg.Rate, cfg.RetryInitial, cfg.RetryMax = 2, time.Millisecond, 2*time.Millisecond
				w.publish(5000, w.openid)
				w.start(cfg)
				const span = 20 * time.Second
				before := 0
				for range 5 {
					time.Sleep(span)
					n := w.asked() - before
					if most := int(cfg.Rate*span.Seconds()) + 1; n > most {
						t.Errorf("%d calls in %v, want %d at most", n, span, most)
					}
					if before == 0 && n < 5 {
						t.Errorf("%d calls in %v: the test tests nothing", n, span)
					}
					before += n
				}
			})
		})
	}
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
