package pipeline_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// BenchmarkTracing drains a backlog with tracing off, twice, so that it shows
// how much of a difference is noise, at a share of 1 % and for all events. The
// server and the simulator are in the same process, so the CPU time of an event
// is not the lane's alone: compare differences with what a lane takes by itself
// (deploy/docs, or the process of a running service).
//
//	go test ./pipeline -run '^$' -bench Tracing -benchtime 100000x -count 5
func BenchmarkTracing(b *testing.B) {
	for _, v := range []struct {
		name  string
		share float64
	}{{"off", -1}, {"off-again", -1}, {"1%", .01}, {"all", 1}} {
		b.Run(v.name, func(b *testing.B) {
			w := newWorld(b, wechattest.AccountConfig{Followers: 1_000_000})
			w.publish(b.N, w.openid)
			cfg := config()
			cfg.Concurrency, cfg.Fixed = 96, true
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime()
			lane := w.start(cfg, func(d *pipeline.Deps) {
				d.Limit = pipeline.NewLimit(int64(b.N))
				d.Tracer = sampling(b, v.share)
			})
			if err := <-lane.done; err != nil {
				b.Fatal(err)
			}
			lane.done <- nil
			b.StopTimer()
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/event")
		})
	}
}

// sampling is a provider as the service has it, but that its spans go nowhere;
// none below 0.
func sampling(t testing.TB, share float64) trace.TracerProvider {
	if share < 0 {
		return nil
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))))
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(fmt.Errorf("provider: %w", err))
		}
	})
	return p
}

type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
