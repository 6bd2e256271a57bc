package events

import (
	"context"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
)

// WithTrace is ctx with the trace context that a message carries (W3C
// traceparent and tracestate), if it does.
func WithTrace(ctx context.Context, h nats.Header) context.Context {
	if len(h[HeaderTraceParent]) == 0 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, traceCarrier(h))
}

// SetTrace makes a message carry the trace context of ctx, if that has one.
func SetTrace(ctx context.Context, h nats.Header) {
	propagation.TraceContext{}.Inject(ctx, traceCarrier(h))
}

// traceCarrier lets OpenTelemetry read and write trace context in headers,
// whose names NATS leaves as they are.
type traceCarrier nats.Header

func (c traceCarrier) Get(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (c traceCarrier) Set(key, value string) { c[key] = []string{value} }

func (c traceCarrier) Keys() (keys []string) {
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
