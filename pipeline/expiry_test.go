package pipeline_test

import (
	"context"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// The clock of the oldest event runs while its account is on hold, also for one
// that the lane has handed back, and is gone when all is answered.
func TestOldestEventExpires(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		w.publishTo("wx.events.wxanother00000000.subscribe", 1, w.openid) // older, and nobody's here
		lane := w.start(cfg)
		left := oldestExpires(t, lane.Lane)
		time.Sleep(time.Hour)
		if s := left(); len(s) != 0 {
			t.Errorf("%v while no event waits", s)
		}
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
		w.publish(3, w.openid)
		stored := time.Now()
		time.Sleep(24 * time.Hour)
		w.publish(3, w.openid)
		time.Sleep(24 * time.Hour)
		want := time.Until(stored.Add(events.DefaultMaxAge)).Seconds()
		if s := left(); len(s) != 1 || s[0] < want-1 || s[0] > want+1 {
			t.Errorf("%v s left, want %v", s, want)
		}
		mend()
		w.answers(6)
		time.Sleep(2 * time.Minute)
		if s := left(); len(s) != 0 {
			t.Errorf("%v after all is answered", s)
		}
	})
}

// oldestExpires reads the metric as an exporter would.
func oldestExpires(t *testing.T, lane *pipeline.Lane) func() []float64 {
	t.Helper()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	if err := pipeline.Observe(provider.Meter("test"), func() []*pipeline.Lane { return []*pipeline.Lane{lane} }); err != nil {
		t.Fatal(err)
	}
	return func() (out []float64) {
		var m metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &m); err != nil {
			t.Fatal(err)
		}
		for _, scope := range m.ScopeMetrics {
			for _, metric := range scope.Metrics {
				if g, ok := metric.Data.(metricdata.Gauge[float64]); ok && metric.Name == "wxenrich.input.oldest_expires" {
					for _, p := range g.DataPoints {
						out = append(out, p.Value)
					}
				}
			}
		}
		return out
	}
}
