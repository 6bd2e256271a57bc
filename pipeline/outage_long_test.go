package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A service that has answered a backlog of days halfway dies, and comes back an
// hour later with batches of another size. What it had stored is not stored
// again nor looked up again, and to know that it reads what was stored since it
// took those events, not what was stored in days.
func TestCrashInABacklogOfDays(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const day, old, backlog = 24 * time.Hour, 20_000, 4_000
		w.unaged()
		w.bucket()
		cfg := lifelike()
		w.publish(100, w.openid)
		first := w.process(0, cfg)
		w.answers(100)
		w.settled(cfg.Durable)
		w.gone(first)

		for i := range old { // other lanes' answers, for this account too
			if _, err := w.js.PublishAsync("wx.profiles."+appid, nil, jetstream.WithStallWait(w.patience)); err != nil {
				t.Fatal(err)
			}
			if i%1000 == 0 {
				time.Sleep(3 * day / (old / 1000))
			}
			if i == old/2 {
				w.publish(backlog, func(i int) []byte { return w.openid(1000 + i) })
			}
		}
		<-w.js.PublishAsyncComplete()
		before := w.held("WX_PROFILES")

		second := w.process(1, cfg)
		// Behind the thousand events for which the first had raised the mark: it
		// cannot tell any more when those were taken, and would look back days.
		w.stored("WX_PROFILES", before+backlog/2)
		second.crash(100_000, 3*time.Second) // some stored and not acked, some on their way
		done := w.held("WX_PROFILES") - before
		if done == 0 || done >= backlog {
			t.Fatalf("%d answers of %d when it died", done, backlog)
		}
		calls := w.asked()
		time.Sleep(time.Hour)

		cfg.BatchSize = 37
		third := w.process(2, cfg)
		w.publish(200, w.openid)
		w.settled(cfg.Durable)
		w.stored("WX_PROFILES", before+backlog+200)
		if n := w.held("WX_PROFILES") - before; n != backlog+200 {
			t.Errorf("%d answers for %d events", n, backlog+200)
		}
		c := third.Stats().Counts()
		if c.Repeats == 0 || c.LookedAt > backlog+2000 || c.LookBacks > 3 {
			t.Errorf("%d repeats; %d headers read in %d look-backs", c.Repeats, c.LookedAt, c.LookBacks)
		}
		left := backlog - done + 200
		if more, most := w.asked()-calls, left/37+left/370+10; more > most {
			t.Errorf("%d calls for %d events, want %d at most", more, left, most)
		}
		w.gone(third)
	}, wechattest.WithLatency(wechattest.Constant(time.Second)))
}

// unaged lets the streams keep everything: see eventstest.Bubble.
func (w *world) unaged() {
	for _, name := range []string{"WX_EVENTS", "WX_PROFILES", "WX_DEAD"} {
		w.update(name, func(c *jetstream.StreamConfig) { c.MaxAge = 0 })
	}
}
