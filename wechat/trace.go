package wechat

import (
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// CallInfo describes a finished call for metrics.
type CallInfo struct {
	Op       string // the endpoint, for example "user/info/batchget"
	Host     string // that was asked, and its port if that is not the scheme's own
	Code     int    // errcode; 0 for success and for failures below it
	Status   int    // HTTP status; 0 when there was no answer
	Class    Class  // of Err; meaningless when Err is nil
	Duration time.Duration
	Openids  int   // asked for by this call; 0 for calls that ask for none
	Err      error // nil for success
}

const tracerName = "github.com/wxenrich/wxenrich/wechat"

func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = otel.GetTracerProvider()
	}
	return p.Tracer(tracerName, trace.WithSchemaURL(semconv.SchemaURL))
}

// describe gives a client span the names and attributes of OTel's HTTP
// conventions; the query, in which the token is, is left out of its URL.
func describe(span trace.Span, h *host, method, path string, openids int) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(h.server...)
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.URLFull(h.base+path), semconv.URLTemplate(path))
	if openids > 0 {
		span.SetAttributes(attribute.Int("wechat.openids", openids))
	}
}

func finish(span trace.Span, info CallInfo) {
	if span.IsRecording() {
		if info.Status != 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(info.Status))
		}
		if info.Code != 0 {
			span.SetAttributes(attribute.Int("wechat.errcode", info.Code))
		}
		if info.Err != nil {
			span.SetAttributes(semconv.ErrorTypeKey.String(info.Class.String()))
			span.SetStatus(codes.Error, info.Err.Error())
		}
	}
	span.End()
}
