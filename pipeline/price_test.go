package pipeline_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestPriceOfAReplay(t *testing.T) {
	for name, memory := range map[string]int64{"all answers fit": 16 << 20, "few answers fit": 1 << 20, "none is kept": 0} {
		if scale > 1 && name != "few answers fit" {
			continue // the race detector needs one
		}
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 12_000
				kv := w.bucket()
				rng := rand.New(rand.NewPCG(1, 2))
				w.publish(n, func(i int) []byte {
					switch {
					case i%100 == 7:
						return []byte(`{"openid":"` + string(w.openid(i)) + `","type":"unsubscribe"}`)
					case i%100 == 8:
						return []byte("not an openid")
					}
					return w.openid(int(math.Floor(6000 * rng.Float64())))
				})
				cfg := lifelike()
				w.start(cfg, w.board(kv), func(d *pipeline.Deps) { d.Recent = pipeline.NewRecent(memory) })
				w.answers(n)
				time.Sleep(time.Hour)
				viewer := w.viewer(kv)
				w.replay(viewer, "replay-1", 1, n, job.Spec{})
				j, err := viewer.Job("replay-1")
				if err != nil {
					t.Fatal(err)
				}
				calls := w.asked()
				price, err := pipeline.PriceReplay(w.Context(), w.js, cfg, &j, memory, nil)
				if err != nil || w.asked() != calls {
					t.Fatalf("%v; %d calls", err, w.asked()-calls)
				}
				w.becomes(viewer, "replay-1", job.Done)
				took := w.asked() - calls
				t.Logf("%+v, took %d", price, took)
				if off := math.Abs(float64(price.Calls)/float64(took) - 1); off > 0.05 {
					t.Errorf("priced at %d calls, took %d", price.Calls, took)
				}
				if price.Messages != n || price.Free != n/50 {
					t.Errorf("%+v", price)
				}
			}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
		})
	}
}
