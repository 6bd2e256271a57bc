package pipeline_test

import (
	"math"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestAllFaultsAtOnce is a bad day of WeChat's. Each event has one answer, the
// right one, and the calls are those of a good day with something on top, and
// the bits that it takes to tell who is refused.
func TestAllFaultsAtOnce(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		for _, f := range []struct {
			share float64
			do    wechattest.Action
		}{
			{0.05, wechattest.Action{Code: -1}},
			{0.02, wechattest.Action{Status: 502, HTML: true}},
			{0.01, wechattest.Action{Truncate: 700}},
			{0.01, wechattest.Action{MissingRow: true}},
		} {
			for _, endpoint := range []string{batchget, "user/info"} {
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: endpoint, Probability: f.share}, Do: f.do})
			}
		}
		killing := w.repeatedly(5*time.Second, w.acc.KillTokens)
		const n = 100_000 / scale
		bad := spread(n, 0.01)
		w.publish(n, func(i int) []byte {
			if bad(i) {
				return []byte(w.acc.BadOpenID(i))
			}
			return w.openid(i)
		})
		lane := w.start(lifelike())
		answers := w.answers(n)
		killing()
		w.unionids(answers)
		refused := 0
		for _, a := range answers {
			switch i := int(a.src(w)) - 1; {
			case bad(i) && a.reason == events.Rejected && string(a.dead.Message.Data) == w.acc.BadOpenID(i):
				refused++
			case bad(i) || a.reason != "" || a.record.Status != events.Following || a.record.Event.OpenID != w.acc.OpenID(i):
				w.Fatalf("event %d became %s %s", a.src(w), a.record.Status, a.reason)
			}
		}
		c := lane.Stats().Counts()
		p := float64(refused) / n
		bits := -p*math.Log2(p) - (1-p)*math.Log2(1-p)
		most := 1.6*n/100 + bits*n
		w.Logf("%d calls, %d of them repeated; want %.0f at most; %d refused, %d rows missing, %d tokens", c.Calls, c.Retries, most, refused, c.Missing, w.acc.Stats().TokensIssued)
		if scale == 1 && float64(c.Calls) > most { // chance decides about a few
			w.Errorf("%d calls, want %.0f at most", c.Calls, most)
		}
	}, wechattest.WithSeed(5), wechattest.WithLatency(wechattest.Constant(30*time.Millisecond)))
}

// repeatedly calls f now and then until the returned function is called.
func (w *world) repeatedly(every time.Duration, f func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// spread chooses a share of n evenly, in no step with the batches.
func spread(n int, share float64) func(i int) bool {
	return func(i int) bool {
		at := float64(i * 7919 % n)
		return math.Floor(at*share) != math.Floor((at+1)*share)
	}
}
