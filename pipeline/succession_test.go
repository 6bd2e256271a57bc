package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A durable that is deleted under the lane's hands is made anew, and delivers
// again what is in hand: nobody is looked up a second time for that.
func TestDurableIsGoneInMidCall(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 2000
		slow := wechattest.Constant(10 * time.Second)
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Latency: &slow}})
		kv := w.bucket()
		cfg := lifelike()
		w.publish(n, w.openid)
		lane := w.start(cfg, w.board(kv))
		time.Sleep(25 * time.Second) // in the third round of calls of ten seconds
		answered := w.held("WX_PROFILES")
		if answered == 0 || answered == n {
			t.Fatalf("%d of %d are answered: nothing is in mid-call", answered, n)
		}
		if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
			t.Fatal(err)
		}
		w.answers(n)
		w.settled(cfg.Durable)
		people := make(map[string]int)
		for _, call := range w.acc.Log() {
			for _, openid := range call.OpenIDs {
				people[openid]++
			}
		}
		for _, times := range people {
			if times > 1 {
				t.Fatalf("some are looked up %d times", times)
			}
		}
		if c := lane.Stats().Counts(); len(people) != n || c.Repeats == 0 || c.InHand != 0 {
			t.Errorf("%d of %d people looked up, %d repeats, %d in hand", len(people), n, c.Repeats, c.InHand)
		}
	}, wechattest.WithLog(1000))
}
