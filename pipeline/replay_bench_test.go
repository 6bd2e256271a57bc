package pipeline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// BenchmarkLiveBesideReplay compares what live events at 1,000 a second wait for
// their records with and without a replay of 60,000 beside them, while one of two
// replicas dies. The ratio is what counts; it needs a machine that does nothing else.
func BenchmarkLiveBesideReplay(b *testing.B) {
	const n, seconds, perTick = 60_000, 30, 10
	for b.Loop() {
		w := newWorld(b, wechattest.AccountConfig{}, wechattest.WithLatency(wechattest.LogNormal(60*time.Millisecond, 150*time.Millisecond)), wechattest.WithLog(0))
		kv := w.bucket()
		viewer := w.viewer(kv)
		cfg := config()
		cfg.Start, _ = pipeline.ParseStart("new")
		w.publish(n, w.openid)
		w.replica(cfg)
		bulk := w.replica(cfg)
		var p50, p99 [2]time.Duration
		for i := range 2 {
			behind := uint64(n + i*seconds*100*perTick)
			if i == 1 {
				w.replay(viewer, "replay-1", 1, n, job.Spec{})
			}
			tick := time.NewTicker(10 * time.Millisecond)
			for t := range seconds * 100 {
				w.publish(perTick, func(k int) []byte { return w.openid((n + t*perTick + k) % 100_000) })
				if i == 1 && t == seconds*30 {
					bulk.kill()
				}
				<-tick.C
			}
			tick.Stop()
			waits := w.waits(behind, seconds*100*perTick)
			p50[i], p99[i] = waits[len(waits)/2], waits[len(waits)*99/100]
		}
		w.becomes(viewer, "replay-1", job.Done)
		w.eachOnce("replay-1", 1, n)
		b.Logf("without: p50 %v, p99 %v; beside a replay: p50 %v, p99 %v", p50[0], p99[0], p50[1], p99[1])
		b.ReportMetric(float64(p99[1])/float64(p99[0]), "p99-ratio")
		b.ReportMetric(float64(p50[1])/float64(p50[0]), "p50-ratio")
	}
}

// waits are how long n live events behind a sequence waited for their records, in
// order, once all have theirs.
func (w *world) waits(behind uint64, n int) (waits []time.Duration) {
	w.Helper()
	w.until("live events are answered", func() bool { return w.consumer(config().Durable).AckFloor.Stream >= behind+uint64(n) })
	c, err := w.js.OrderedConsumer(w.Context(), "WX_PROFILES", orderedHeaders)
	if err != nil {
		w.Fatal(err)
	}
	iter, err := c.Messages()
	if err != nil {
		w.Fatal(err)
	}
	defer iter.Stop()
	for len(waits) < n {
		m, err := iter.Next()
		if err != nil {
			w.Fatal(err)
		}
		src, replay, _, err := events.ParseMsgID(m.Headers().Get(events.HeaderMsgID))
		if err != nil {
			w.Fatal(err)
		}
		if meta, err := m.Metadata(); err == nil && replay == "" && src.Seq > behind {
			waits = append(waits, meta.Timestamp.Sub(src.Time))
		}
	}
	slices.Sort(waits)
	return waits
}
