package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"go.opentelemetry.io/otel/metric"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// difference is accounts that are not as they were.
type difference struct{ added, changed, removed []string }

func (d *difference) any() bool { return len(d.added)+len(d.changed)+len(d.removed) > 0 }

// accountsReader reads the accounts again when they change.
type accountsReader struct {
	options config.Options
	log     *slog.Logger
	change  func(context.Context, *config.Config) (difference, error) // makes what is written be in effect; with an error nothing is

	mu     sync.Mutex
	cfg    *config.Config // in effect
	faults config.Faults  // why it is not what is written
}

// follow reads the accounts again on SIGHUP, and when accounts_dir changes,
// until the returned function is called.
func (r *accountsReader) follow(ctx context.Context) (stop func(), err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-hangup:
				r.read(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	unwatch := func() {}
	if dir := r.cfg.AccountsDir; dir != "" {
		unwatch, err = watchFolder(ctx, dir, r.log, func() { r.read(ctx) })
	}
	stop = func() {
		signal.Stop(hangup)
		cancel()
		<-done
		if unwatch != nil {
			unwatch()
		}
	}
	if err != nil {
		stop()
	}
	return stop, err
}

// read reads the accounts and has the fleet follow them. Of a file with faults
// the last good state stays.
func (r *accountsReader) read(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer debug.FreeOSMemory() // a thousand files leave more garbage than their lanes take
	next, faults := r.cfg.Reload(r.options)
	var d difference
	if ctx.Err() == nil && next != r.cfg {
		var err error
		if d, err = r.change(ctx, next); err != nil {
			next, faults = r.cfg, append(faults, config.Fault{Path: "accounts", Problem: err.Error()})
		}
	}
	for _, f := range faults {
		if !slices.Contains(r.faults, f) {
			r.log.Error("configuration is not in effect as it is written; the last good state is kept", slog.String("where", f.Where), slog.String("key", f.Path), slog.String("problem", f.Problem))
		}
	}
	if len(r.faults) > 0 && len(faults) == 0 {
		r.log.Info("configuration is in effect as it is written")
	}
	for _, w := range next.Warnings {
		if !slices.Contains(r.cfg.Warnings, w) {
			r.log.Warn("configuration", slog.String("key", w.Path), slog.String("problem", w.Problem))
		}
	}
	if stale := next.Stale(); len(stale) > 0 && !slices.Equal(stale, r.cfg.Stale()) {
		r.log.Warn("these sections have changed, and are read at a start only", slog.String("sections", strings.Join(stale, ", ")))
	}
	r.faults = faults
	if ctx.Err() != nil || next == r.cfg {
		return
	}
	r.cfg = next
	if d.any() {
		r.log.Info("accounts have changed", slog.Any("added", d.added), slog.Any("changed", d.changed), slog.Any("removed", d.removed))
	}
}

// wrong is what is wrong with the configuration as it is written. A nil reader
// knows of nothing.
func (r *accountsReader) wrong() config.Faults {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.faults)
}

// now is the configuration in effect; nil if it is not read again.
func (r *accountsReader) now() *config.Config {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg
}

// observeConfig registers the metric of faults.
func observeConfig(meter metric.Meter, faults func() int) error {
	_, err := meter.Int64ObservableGauge("wxenrich.config.faults", metric.WithUnit("{fault}"),
		metric.WithDescription("What was wrong when the configuration was last read: as much of it as that concerns is not in effect, and the last good state is."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(faults()))
			return nil
		}))
	return err
}
