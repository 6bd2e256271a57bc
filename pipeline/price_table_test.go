package pipeline_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// prices has TestPrices try all of its ranges, at all rates, with calls as long as
// in life; it prints a table with -v.
var prices = flag.Bool("prices", false, "try all ranges of TestPrices")

// priced is a range whose price is held against what it takes.
type priced struct {
	name    string
	n       int
	refused func(i int) bool
	rates   []float64
	all     bool // only with -prices
}

// pricedRanges is what prices are tried on: people refused in a row, in the midst
// of others, at random; and small ranges, where each call shows.
func pricedRanges() []priced {
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(share float64) func(int) bool { return func(int) bool { return rng.Float64() < share } }
	everybody := func(int) bool { return true }
	cluster := func(from, to int) func(int) bool { return func(i int) bool { return i >= from && i < to } }
	return []priced{
		{"all", 60, everybody, []float64{0, 50}, false},
		{"all", 60, everybody, []float64{5}, true},
		{"all", 200, everybody, []float64{0, 50}, true},
		{"all", 1000, everybody, []float64{0, 50}, true},
		{"40 in the midst", 300, cluster(120, 160), []float64{0, 50, 5}, true},
		{"100 in the midst", 2000, cluster(950, 1050), []float64{0, 50}, true},
		{"0.5%", 4000, random(0.005), []float64{0, 50}, true},
		{"5%", 2000, random(0.05), []float64{0, 50}, true},
		{"30%", 1000, random(0.3), []float64{0, 50, 5}, true},
		{"10%", 20, random(0.1), []float64{0, 5}, scale > 1},
		{"30%", 20, random(0.3), []float64{0, 50, 5}, true},
		{"10%", 60, random(0.1), []float64{0, 50, 5}, true},
		{"30%", 60, random(0.3), []float64{0, 50, 5}, true},
		{"5%", 120, random(0.05), []float64{0, 50, 5}, true},
		{"10%", 300, random(0.1), []float64{0, 50, 5}, true},
		{"1%", 300, random(0.01), []float64{0, 50, 5}, true},
	}
}

// off compares a price with the calls made: within 5 %, or by two where it is a
// matter of a handful.
func off(price, took int64) bool {
	return max(took-price, price-took) > max(2, took/20)
}

// TestPrices holds the prices of replays and redrives against the calls that they
// then make: within 5 %, or where chance has more to say, within what they say.
func TestPrices(t *testing.T) {
	latencies := map[string]wechattest.Latency{"": wechattest.LogNormal(60*time.Millisecond, 150*time.Millisecond)}
	if *prices {
		latencies["90 to 110 ms, "] = wechattest.Uniform(90*time.Millisecond, 110*time.Millisecond)
		latencies["1 ms, "] = wechattest.Constant(time.Millisecond)
	}
	for named, latency := range latencies {
		inBubble(t, wechattest.AccountConfig{}, func(w *world) {
			kv := w.bucket()
			var ranges []priced
			const first = 10 // who are answered: else the account is taken for the wrong one
			var bodies [][]byte
			for i := range first {
				bodies = append(bodies, w.openid(i))
			}
			bad := 0
			for _, r := range pricedRanges() {
				if r.all && !*prices {
					continue
				}
				ranges = append(ranges, r)
				for i := range r.n {
					if r.refused(i) {
						bodies = append(bodies, []byte(w.acc.BadOpenID(len(bodies))))
						bad++
					} else {
						bodies = append(bodies, w.openid(len(bodies)))
					}
				}
			}
			w.publish(len(bodies), func(i int) []byte { return bodies[i] })
			cfg := lifelike()
			w.start(cfg, w.board(kv))
			w.answers(len(bodies))
			w.settled(cfg.Durable)
			time.Sleep(time.Minute)
			viewer := w.viewer(kv)
			compare := func(what string, price pipeline.Outlook, begin func(id string)) {
				calls := w.asked()
				id := fmt.Sprintf("job-%d", calls)
				begin(id)
				w.becomes(viewer, id, job.Done)
				took := int64(w.asked() - calls)
				t.Logf("%s%s: priced at %d calls, %d to %d, took %d (%+.1f %%)", named, what, price.Calls, price.Least, price.Most, took, 100*(float64(price.Calls)/float64(took)-1))
				if off(price.Calls, took) && (took < price.Least || took > price.Most) {
					t.Errorf("%s%s: priced at %d calls, %d to %d, took %d", named, what, price.Calls, price.Least, price.Most, took)
				}
			}
			from := uint64(first + 1)
			for _, r := range ranges {
				to := from + uint64(r.n) - 1
				for _, rate := range r.rates {
					j := job.Job{Kind: job.Replay, Range: job.Range{Stream: "WX_EVENTS", Subjects: cfg.Subjects, From: from, To: to}, Spec: job.Spec{Rate: rate}}
					price, err := pipeline.PriceReplay(w.Context(), w.js, viewer, cfg, &j, 16<<20, nil)
					if err != nil {
						t.Fatal(err)
					}
					compare(fmt.Sprintf("replay of %d, %s refused, rate %g", r.n, r.name, rate), price.Expected, func(id string) { w.replay(viewer, id, from, to, j.Spec) })
				}
				from = to + 1
			}
			for _, rate := range []float64{0, 50} {
				if rate > 0 && !*prices {
					continue
				}
				q, _ := viewer.Quota(cfg, time.Now())
				calls := pipeline.NewRehearsals(cfg, rate, q.Call)
				n := w.held("WX_DEAD")
				people := 0
				for range n {
					calls.Event()
					if people < bad {
						people++
						calls.LookUp("", true)
					}
				}
				compare(fmt.Sprintf("redrive of %d letters of %d people, rate %g", n, bad, rate), calls.End(), func(id string) {
					w.redrive(viewer, id, dead.Selection{Reasons: []events.Reason{events.Rejected}}, rate)
				})
			}
		}, wechattest.WithLatency(latency))
	}
}
