package pipeline_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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
		gauge := gauges(t, lane.Lane)
		left := func() []float64 { return gauge("wxenrich.input.oldest_expires") }
		time.Sleep(time.Hour)
		if s := left(); len(s) != 0 {
			t.Errorf("%v while no event waits", s)
		}
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
		w.publish(3, w.openid)
		stored := time.Now()
		time.Sleep(5 * time.Hour)
		w.publish(3, w.openid)
		time.Sleep(5 * time.Hour)
		want := time.Until(stored.Add(events.DefaultMaxAge)).Seconds()
		if s := left(); len(s) != 1 || s[0] < want-1 || s[0] > want+1 {
			t.Errorf("%v s left, want %v", s, want)
		}
		if s := gauge("wxenrich.input.oldest_age"); len(s) != 1 || math.Abs(s[0]-time.Since(stored).Seconds()) > 1 {
			t.Errorf("the oldest is %v s old, want %v", s, time.Since(stored).Seconds())
		}
		if n := gauge("wxenrich.input.lag"); len(n) != 1 || n[0] != 6 {
			t.Errorf("a lag of %v, want all 6", n)
		}
		mend()
		w.answers(6)
		time.Sleep(2 * time.Minute)
		if s := left(); len(s) != 0 {
			t.Errorf("%v after all is answered", s)
		}
		if n := gauge("wxenrich.input.lag"); len(n) != 1 || n[0] != 0 {
			t.Errorf("a lag of %v after all is answered", n)
		}
	})
}

// A durable that somebody has paused brings nothing, and a lane that idles says
// all the same that events wait.
func TestIdleLaneSeesWhatWaits(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		lane := w.start(cfg)
		w.until("it runs", func() bool { return lane.State().Phase == pipeline.Running })
		gauge := gauges(t, lane.Lane)
		if _, err := w.js.PauseConsumer(w.Context(), "WX_EVENTS", cfg.Durable, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.publish(3, w.openid)
		time.Sleep(2 * time.Minute)
		if n := gauge("wxenrich.input.lag"); len(n) != 1 || n[0] != 3 {
			t.Errorf("a lag of %v, want 3", n)
		}
		if s := gauge("wxenrich.input.oldest_age"); len(s) != 1 || s[0] < 110 || s[0] > 130 {
			t.Errorf("the oldest is %v s old, want 120", s)
		}
		w.answers(3)
		time.Sleep(2 * time.Minute)
		if n := gauge("wxenrich.input.lag"); len(n) != 1 || n[0] != 0 {
			t.Errorf("a lag of %v after all is answered", n)
		}
	})
}

// gauges reads a gauge's values as an exporter would.
func gauges(t *testing.T, lane *pipeline.Lane) func(name string) []float64 {
	t.Helper()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	if err := pipeline.Observe(provider.Meter("test"), func() []*pipeline.Lane { return []*pipeline.Lane{lane} }); err != nil {
		t.Fatal(err)
	}
	return func(name string) (out []float64) {
		var m metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &m); err != nil {
			t.Fatal(err)
		}
		for _, scope := range m.ScopeMetrics {
			for _, metric := range scope.Metrics {
				if metric.Name != name {
					continue
				}
				switch g := metric.Data.(type) {
				case metricdata.Gauge[float64]:
					for _, p := range g.DataPoints {
						out = append(out, p.Value)
					}
				case metricdata.Gauge[int64]:
					for _, p := range g.DataPoints {
						out = append(out, float64(p.Value))
					}
				}
			}
		}
		return out
	}
}

// A paused durable answers nothing, so its lane is not ready: it says so, until
// when, and how it ends; and it is ready again soon after.
func TestPausedLaneIsNotReady(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		lane := w.start(cfg)
		w.until("it runs", func() bool { return lane.State().Ready() })
		pause := func(d time.Duration) (until time.Time) {
			until = time.Now().Add(d)
			if _, err := w.js.PauseConsumer(w.Context(), "WX_EVENTS", cfg.Durable, until); err != nil {
				t.Fatal(err)
			}
			return until
		}
		ready := gauges(t, lane.Lane)
		until := pause(time.Hour)
		time.Sleep(time.Minute + time.Second)
		s := lane.State()
		if s.Ready() || s.Phase != pipeline.Paused || s.Hint != "nats consumer resume WX_EVENTS "+cfg.Durable || s.Until.Sub(until).Abs() > time.Second {
			t.Errorf("%+v, want a pause until %v", s, until)
		}
		if n := ready("wxenrich.lane.ready"); len(n) != 1 || n[0] != 0 {
			t.Errorf("ready is %v", n)
		}
		if _, err := w.js.ResumeConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if s := lane.State(); !s.Ready() || s.Phase != pipeline.Running || s.Hint != "" {
			t.Errorf("%+v after the pause", s)
		}
		pause(30 * time.Minute)
		time.Sleep(31 * time.Minute)
		if s := lane.State(); !s.Ready() {
			t.Errorf("%+v after the pause has ended by itself", s)
		}
		pause(time.Hour)
		lane.stop()
		next := w.start(cfg)
		time.Sleep(time.Second)
		if s := next.State(); s.Phase != pipeline.Paused {
			t.Errorf("%+v of a lane that begins during a pause", s)
		}
	})
}

// A durable whose settings refuse the lane's pulls answers nothing, and the lane
// says so instead of being ready between its attempts.
func TestRefusedPullIsNotReady(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		set := jetstream.ConsumerConfig{Durable: cfg.Durable, AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: cfg.Subjects,
			MaxAckPending: 4000, MaxDeliver: -1, AckWait: 30 * time.Second, MaxRequestBatch: 1}
		if _, err := w.js.CreateConsumer(w.Context(), "WX_EVENTS", set); err != nil {
			t.Fatal(err)
		}
		lane := w.start(cfg)
		time.Sleep(5 * time.Second)
		for range 60 {
			time.Sleep(time.Second)
			if s := lane.State(); s.Ready() || s.Phase != pipeline.Connecting || !strings.Contains(s.Reason, "MaxRequestBatch") || s.Hint == "" {
				t.Fatalf("%+v", s)
			}
		}
		set.MaxRequestBatch = 0
		if _, err := w.js.UpdateConsumer(w.Context(), "WX_EVENTS", set); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if s := lane.State(); !s.Ready() || s.Reason != "" {
			t.Errorf("%+v after it was mended", s)
		}
		w.publish(1, w.openid)
		w.answers(1)
	})
}
