package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/export"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
)

// telemetry is the process's metrics, and what of them and of its traces and
// logs is sent to somebody.
type telemetry struct {
	*export.Exports
	registry *prometheus.Registry
	provider *sdk.MeterProvider
	meter    metric.Meter
	timings  *pipeline.Timings
	api      metric.Float64Histogram
}

// apiBounds are the bounds of the buckets of an API call's seconds, up to its
// time-out and a little further.
var apiBounds = []float64{.005, .01, .025, .05, .075, .1, .15, .2, .3, .5, 1, 2.5, 5, 10, 20, 30}

func newTelemetry(ctx context.Context, getenv func(string) string) (*telemetry, error) {
	exports, err := export.Start(ctx, getenv, buildVersion().Version)
	if err != nil {
		return nil, usage("%w", err)
	}
	t := &telemetry{Exports: exports, registry: prometheus.NewRegistry()}
	// Memory, goroutines and file descriptors, under the names that everybody knows.
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(t.registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	readers := []sdk.Option{sdk.WithReader(exporter), sdk.WithResource(t.Resource), sdk.WithCardinalityLimit(0)} // labels are bounded, but for the accounts
	if t.Reader != nil {
		readers = append(readers, sdk.WithReader(t.Reader))
	} else { // /metrics shows none, and room for them is half of what a thousand idle accounts hold
		readers = append(readers, sdk.WithExemplarFilter(exemplar.AlwaysOffFilter))
	}
	t.provider = sdk.NewMeterProvider(readers...)
	t.meter = t.provider.Meter("github.com/wxenrich/wxenrich")
	var errs [2]error
	t.timings, errs[0] = pipeline.NewTimings(t.meter)
	t.api, errs[1] = newAPIDuration(t.meter)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return t, nil
}

func newAPIDuration(meter metric.Meter) (metric.Float64Histogram, error) {
	return meter.Float64Histogram("wxenrich.api.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(apiBounds...),
		metric.WithDescription("API calls, for data and for tokens, by endpoint, errcode (0: none; other: unknown) and the error's class."))
}

// observeTokens registers the metric of accounts without a token. It says so of one,
// too, of which no call is made for want of a secret.
func observeTokens(meter metric.Meter, failing func() []string) error {
	_, err := meter.Int64ObservableGauge("wxenrich.token.failing",
		metric.WithDescription("1 when there was no access token for the account when one was wanted last; absent when there was."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, appid := range failing() {
				o.Observe(1, metric.WithAttributes(attribute.String("appid", appid)))
			}
			return nil
		}))
	return err
}

// called records an account's API calls. The tokens of one that idles are
// recorded with its first call for data, or the first that fails: a histogram is
// twenty lines of /metrics, more than all else that is said of it.
func (t *telemetry) called(appid string) func(wechat.CallInfo) {
	var mu sync.Mutex
	var held []wechat.CallInfo
	idle := true
	record := t.record(appid)
	return func(i wechat.CallInfo) {
		mu.Lock()
		defer mu.Unlock()
		if idle = idle && i.Err == nil && strings.HasSuffix(i.Op, "token"); idle {
			held = append(held, i)
			return
		}
		for _, before := range held {
			record(before)
		}
		held = nil
		record(i)
	}
}

func (t *telemetry) record(appid string) func(wechat.CallInfo) {
	account := attribute.String("appid", appid)
	return func(i wechat.CallInfo) {
		class := ""
		if i.Err != nil {
			class = i.Class.String()
		}
		t.api.Record(context.Background(), i.Duration.Seconds(), metric.WithAttributes(account,
			attribute.String("endpoint", i.Op), attribute.String("errcode", errcodeLabel(i.Code)), attribute.String("class", class)))
	}
}

// errcodeLabel is an errcode as a label's value: codes that the table does not
// know share one, since WeChat, or who poses as it, may make up any number.
func errcodeLabel(code int) string {
	if code == 0 {
		return "0"
	}
	for _, kind := range []wechat.Kind{wechat.Data, wechat.Login} {
		if _, known := wechat.Lookup(kind, code); known {
			return strconv.Itoa(code)
		}
	}
	return "other"
}

// stop sends what is still to be sent, and ends.
func (t *telemetry) stop(ctx context.Context) {
	t.Stop(ctx, t.provider.Shutdown)
}
