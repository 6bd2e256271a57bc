package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// inBubble calls f in a world under a fake clock, in which waiting costs
// nothing: a lane's pauses may be as in life, and days may pass. Work takes no
// time at all there, so bounds on time are exact. Such a test is not parallel,
// see eventstest.Bubble.
func inBubble(t *testing.T, account wechattest.AccountConfig, f func(w *world), opts ...wechattest.Option) {
	t.Helper()
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		w := &world{TB: t, nats: s, sim: wechattest.New(opts...), patience: 3 * 24 * time.Hour, tick: time.Second}
		transport, stop := w.sim.Serve()
		t.Cleanup(stop)
		w.api, w.transport = "http://wechat", transport
		w.furnish(account)
		f(w)
	})
}

// lifelike is a lane's configuration with the pauses of life.
func lifelike() pipeline.Config {
	c := pipeline.DefaultConfig(appid)
	c.Start, _ = pipeline.ParseStart("all")
	return c
}

func TestADayOnHold(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
		w.publish(50, w.openid)
		lane := w.start(lifelike())
		time.Sleep(24 * time.Hour)
		if h := lane.State().Hold; h == nil || h.Code != 48001 {
			t.Errorf("hold: %+v", h)
		}
		if calls := w.asked(); calls < 22 || calls > 35 {
			t.Errorf("%d calls in a day, want a probe every 60 to 75 minutes, and more often at first", calls)
		}
		mended := time.Now()
		mend()
		for _, a := range w.answers(50) {
			if waited := a.stored.Sub(mended); waited < 0 || waited > 80*time.Minute {
				t.Fatalf("answered %v after it was mended", waited)
			}
		}
	})
}

// A hold lasts until the account is mended, also of an account that nobody has
// worked for: its probes deliver the events that wait again and again, which
// says nothing against these.
func TestHoldLastsUntilMended(t *testing.T) {
	for name, code := range map[string]int{"permission": 48001, "wrong account": 40003} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: code}})
				const n = 10
				w.publish(n, w.openid)
				lane := w.start(lifelike(), w.board(w.bucket()))
				time.Sleep(time.Minute)
				for minute := range 6 * 60 {
					if s := lane.State(); s.Phase != pipeline.Held {
						t.Fatalf("after %d minutes: %+v", minute, s)
					}
					time.Sleep(time.Minute)
				}
				if calls := w.asked(); calls > 6*60 {
					t.Errorf("%d calls in six hours", calls)
				}
				c, err := w.js.Consumer(w.Context(), "WX_EVENTS", lifelike().Durable)
				if err != nil {
					t.Fatal(err)
				}
				if d := c.CachedInfo().Delivered.Consumer; d > n*(6*60+4) {
					t.Errorf("%d deliveries of %d events", d, n)
				}
				mend()
				w.answers(n)
			})
		})
	}
}
