package pipeline

import (
	"context"
	"log/slog"
	"time"
)

// logBatch writes one line for a look-up of n openids, at debug.
func (l *Lane) logBatch(ctx context.Context, n int, o *outcome, took time.Duration) {
	if !l.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.Int("openids", n), slog.Int("answered", len(o.done)), slog.Int("left", o.left()), slog.Duration("took", took)}
	if o.hold != nil {
		attrs = append(attrs, slog.String("hold", o.hold.Reason))
	}
	l.log.LogAttrs(ctx, slog.LevelDebug, "batch", attrs...)
}

// left is how many people have no answer yet.
func (o *outcome) left() int {
	n := len(o.back) + len(o.later) + len(o.doubt)
	for _, items := range o.ready {
		n += len(items)
	}
	return n
}
