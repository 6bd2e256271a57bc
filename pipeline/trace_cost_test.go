package pipeline

import (
	"testing"

	"github.com/nats-io/nats.go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wxenrich/wxenrich/events"
)

// headerOnly is a message of which only the headers are asked for.
type headerOnly struct {
	message
	header nats.Header
}

func (m headerOnly) Headers() nats.Header { return m.header }
func (m headerOnly) Data() []byte         { return nil }

// What an event costs without tracing must not be noticed.
func TestNoTracingAllocatesNothing(t *testing.T) {
	var off *tracing
	d := &delivery{msg: headerOnly{}}
	answers := []answer{{delivery: d, fills: 1}}
	header := nats.Header{}
	n := testing.AllocsPerRun(100, func() {
		off.begin(d)
		off.create(&answers[0], "")
		answers[0].passTrace(header)
		_, settling := off.settled(t.Context(), answers)
		off.publish(t.Context(), answers).End()
		settling.End()
		d.ended("record")
	})
	if n != 0 {
		t.Errorf("%v allocations for an event without tracing", n)
	}
}

// BenchmarkTracingOfAnEvent is what tracing adds to an event, beside the spans
// of its batch. A lane takes some 12 µs of CPU time for one.
func BenchmarkTracingOfAnEvent(b *testing.B) {
	traced := nats.Header{events.HeaderTraceParent: {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}}
	cfg := DefaultConfig("wx0123456789abcdef")
	share := func(share float64) *tracing {
		p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))))
		return newTracing(p, &cfg)
	}
	for _, v := range []struct {
		name string
		by   *tracing
		in   nats.Header
	}{{"off", nil, nil}, {"off/context", nil, traced}, {"1%", share(.01), nil}, {"1%/context", share(.01), traced}, {"all", share(1), nil}} {
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			out := nats.Header{}
			for b.Loop() {
				d := delivery{msg: headerOnly{header: v.in}}
				v.by.begin(&d)
				a := answer{delivery: &d, fills: 1}
				v.by.create(&a, "")
				a.passTrace(out)
				d.ended("record")
			}
		})
	}
}
