// Package export sends traces, metrics and logs to where the environment says,
// by OpenTelemetry's standard variables: OTEL_TRACES_EXPORTER,
// OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER choose exporters, and
// OTEL_EXPORTER_OTLP_ENDPOINT alone asks for all three by OTLP. Without any of
// them nothing leaves the process, unlike OpenTelemetry's own default, which is
// to send everything to whoever listens on this machine.
package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Exports is what leaves a process. The zero value is nothing.
type Exports struct {
	// Tracer makes spans; nil if nobody wants any, so that none are made.
	Tracer trace.TracerProvider
	// Reader reads metrics now and then, to send them; nil if nobody wants them.
	Reader sdkmetric.Reader
	// Resource says who sends.
	Resource *resource.Resource

	logs *sdklog.LoggerProvider // nil if nobody wants them
	stop []func(context.Context) error
}

// Start makes what the environment asks for. Endpoints, headers, intervals,
// limits and the like are read by the exporters themselves, from the process's
// own environment.
func Start(ctx context.Context, getenv func(string) string, version string) (*Exports, error) {
	e := new(Exports)
	err := checkEnv(getenv)
	if err != nil && (wanted(getenv, "TRACES") || wanted(getenv, "METRICS") || wanted(getenv, "LOGS")) {
		return nil, err
	}
	if e.Resource, err = whoSends(version); err != nil {
		return nil, err
	}
	var errs [3]error
	if wanted(getenv, "TRACES") {
		errs[0] = e.traces(ctx, getenv)
	}
	if wanted(getenv, "METRICS") {
		if e.Reader, errs[1] = autoexport.NewMetricReader(ctx); errs[1] != nil {
			errs[1] = fmt.Errorf("OTEL_METRICS_EXPORTER: %w", errs[1])
		}
	}
	if wanted(getenv, "LOGS") {
		errs[2] = e.logRecords(ctx)
	}
	if err := errors.Join(errs[:]...); err != nil {
		e.Stop(ctx, func(context.Context) error { return nil })
		return nil, err
	}
	return e, nil
}

// wanted reports whether a signal is to be sent anywhere.
func wanted(getenv func(string) string, signal string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if exporter := getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// whoSends is the service, as far as OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES do not say otherwise.
func whoSends(version string) (*resource.Resource, error) {
	own := resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName("wxenrich"), semconv.ServiceVersion(version))
	r, err := resource.Merge(resource.Default(), own)
	if err == nil {
		r, err = resource.Merge(r, resource.Environment())
	}
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return r, nil
}

func (e *Exports) traces(ctx context.Context, getenv func(string) string) error {
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_TRACES_EXPORTER: %w", err)
	}
	sampler, err := samplerOf(getenv)
	if err != nil {
		return errors.Join(err, exporter.Shutdown(ctx))
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(e.Resource), sdktrace.WithSampler(linked{sampler}), sdktrace.WithBatcher(exporter))
	e.Tracer = p
	e.stop = append(e.stop, p.Shutdown)
	return nil
}

func (e *Exports) logRecords(ctx context.Context) error {
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_LOGS_EXPORTER: %w", err)
	}
	e.logs = sdklog.NewLoggerProvider(sdklog.WithResource(e.Resource), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	e.stop = append(e.stop, e.logs.Shutdown)
	return nil
}

// Complain logs what cannot be sent, at most once a minute: nobody can mend it
// from here, and a collector that is away is so for every batch.
func (e *Exports) Complain(log *slog.Logger) {
	if e.Tracer == nil && e.Reader == nil && e.logs == nil {
		return
	}
	var mu sync.Mutex
	var last time.Time
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) > time.Minute {
			last = now
			log.Warn("telemetry cannot be sent", slog.Any("error", err))
		}
	}))
}

// stopTimeout is how long the end waits for what is still to be sent.
const stopTimeout = 2 * time.Second

// Stop sends what is left and ends; metrics is how whoever reads with Reader ends.
func (e *Exports) Stop(ctx context.Context, metrics func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, stop := range append(e.stop, metrics) {
		if err := stop(ctx); err != nil {
			otel.Handle(err)
		}
	}
}
