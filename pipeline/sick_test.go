package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// While most calls fail for everybody, nobody may be given up for it, and
// groups that are divided would only multiply the calls.
func TestMostCallsFailForEverybody(t *testing.T) {
	for _, code := range []int{-1, 98765} {
		for _, share := range []float64{0.5, 0.8, 0.9, 0.95} {
			if scale > 1 && share != 0.9 {
				continue // the race detector needs one
			}
			t.Run(fmt.Sprint(code, " ", share), func(t *testing.T) {
				inBubble(t, wechattest.AccountConfig{}, func(w *world) {
					mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: share}, Do: wechattest.Action{Code: code}})
					cfg := lifelike()
					cfg.BatchSize = 20
					const n = 1000
					w.publish(n, w.openid)
					lane := w.start(cfg)
					time.Sleep(2 * time.Hour)
					calls, state := w.asked(), lane.State()
					mend()
					if got := count(w.answers(n)); got["following"] != n {
						w.Errorf("answers: %v", got)
					}
					// It takes 1/(1-share) calls to get one answered, and as many
					// again for chance and for halves.
					if most := int(4 * n / float64(cfg.BatchSize) / (1 - share)); calls > most {
						w.Errorf("%d calls, want %d at most", calls, most)
					}
					w.Logf("%d calls, %s", calls, state.Phase)
				}, wechattest.WithSeed(6), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
			})
		}
	}
}
