package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// 64 calls are under way with a token that was killed before they came: all are
// refused, one token is fetched for all of them, and nobody is answered twice or not at
// all.
func TestTokenKilledUnderManyCalls(t *testing.T) {
	const calls, size = 64, 10
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.Concurrency, cfg.BatchSize = calls, size
		w.start(cfg)
		const first = 40 * size // a lane that nobody has answered yet asks with less at once
		w.publish(first, w.openid)
		w.answers(first)
		before := w.acc.Stats()

		fast := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget},
			Do: wechattest.Action{Latency: new(wechattest.Constant(10 * time.Second))}})
		w.acc.KillTokens() // nobody knows yet: the answers that say so take their time
		const rest = 2 * calls * size
		w.publish(rest, func(i int) []byte { return w.openid(first + i) })
		time.Sleep(5 * time.Second) // all calls are under way
		fast()
		all := first + rest
		if got := count(w.answers(all))[string(events.Following)]; got != all {
			t.Errorf("%d records, want %d", got, all)
		}
		after := w.acc.Stats()
		if got := after.Codes[40001]; got != calls {
			t.Errorf("%d calls were refused, want %d: the test tests nothing", got, calls)
		}
		if before.TokensIssued != 1 || after.TokensIssued != 2 || after.Calls["stable_token"] != 2 {
			t.Errorf("%d tokens, then %d by %d fetches, want one more", before.TokensIssued, after.TokensIssued, after.Calls["stable_token"])
		}
		if got := after.Calls[batchget] - before.Calls[batchget]; got != 3*calls {
			t.Errorf("%d calls, want %d: each refused one once more", got, 3*calls)
		}
		w.settled("wxenrich-" + appid)
	})
}

// A token that does not come says nothing of a batch's size.
func TestHangingTokenHalvesNoBatch(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 100
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: stableToken}, Do: wechattest.Action{Hang: true}})
		w.publish(n, w.openid)
		w.start(lifelike())
		time.Sleep(10 * time.Minute)
		if got := w.acc.Stats().Calls[stableToken]; got < 3 {
			t.Fatalf("%d fetches: the test tests nothing", got)
		}
		mend()
		w.answers(n)
		if got := w.asked(); got != 1 {
			t.Errorf("%d calls for one batch", got)
		}
	})
}
