package export

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/trace"
)

// Logger writes as log does, with the ids of the trace that a line belongs to,
// and sends the same lines along if logs are wanted. What log leaves out for its
// level is not sent either: openids stand at debug only.
func (e *Exports) Logger(log *slog.Logger) *slog.Logger {
	if e.Tracer == nil && e.logs == nil {
		return log
	}
	h := handler{local: log.Handler()}
	if e.logs != nil {
		h.sent = otelslog.NewHandler("github.com/wxenrich/wxenrich", otelslog.WithLoggerProvider(e.logs))
	}
	return slog.New(h)
}

type handler struct {
	local slog.Handler
	sent  slog.Handler // nil if none
}

func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.local.Enabled(ctx, l) }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if h.sent != nil {
		_ = h.sent.Handle(ctx, r.Clone()) // it only queues
	}
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.local.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.local = h.local.WithAttrs(attrs)
	if h.sent != nil {
		h.sent = h.sent.WithAttrs(attrs)
	}
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	h.local = h.local.WithGroup(name)
	if h.sent != nil {
		h.sent = h.sent.WithGroup(name)
	}
	return h
}
