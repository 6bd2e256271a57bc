package pipeline_test

import (
	"testing"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// BenchmarkDrain answers a backlog, server and simulator in the same process:
// an operation is one event.
func BenchmarkDrain(b *testing.B) {
	w := newWorld(b, wechattest.AccountConfig{Followers: 1_000_000})
	w.publish(b.N, w.openid)
	cfg := config()
	cfg.Concurrency, cfg.Fixed = 96, true
	b.ReportAllocs()
	b.ResetTimer()
	lane := w.start(cfg, func(d *pipeline.Deps) { d.Limit = pipeline.NewLimit(int64(b.N)) })
	if err := <-lane.done; err != nil {
		b.Fatal(err)
	}
	lane.done <- nil
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(1000*float64(lane.Stats().Counts().Calls)/float64(b.N), "calls/1000")
}
