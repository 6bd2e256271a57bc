package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat/push"
)

const metricsPageHead = "# Metrics\n" + `
This page is generated from the instruments themselves: run
` + "`go test ./cmd/wxenrich -run TestMetricsPage -update`" + ` after a change.

` + "`http.listen`" + `, and ` + "`gateway.http_listen`" + ` of a gateway, serves them to Prometheus on ` + "`/metrics`" + `. Names and units are stable: one that goes is named in the
changelog a version before. Every metric but the size of a gateway's spool and the faults of a configuration has the label ` + "`appid`" + `; further labels take values of closed sets only
(reasons, classes, endpoints, known errcodes). No metric carries an openid, a message of WeChat's, or its request id
(` + "`rid`" + `, which is in the log, in ` + "`/readyz`" + ` and in ` + "`wxenrich status`" + `). Of an account that has had no event since the start there is no series of what is rare,
such as a retry, a doubt, a dead letter or a job: treat it as 0.

| metric | type | unit | |
|---|---|---|---|
`

// TestMetricsPage holds the page to the instruments that the program registers.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	names := new(instruments)
	if err := pipeline.Observe(names, func() []*pipeline.Lane { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.NewTimings(names); err != nil {
		t.Fatal(err)
	}
	if err := observeConfig(names, func() int { return 0 }); err != nil {
		t.Fatal(err)
	}
	if err := observeTokens(names, func() []string { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := newAPIDuration(names); err != nil {
		t.Fatal(err)
	}
	receiver, err := push.NewReceiver(push.Config{AppID: "a", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	subject, err := events.ParseTemplate("s")
	if err != nil {
		t.Fatal(err)
	}
	accounts := []gateway.Account{{Receiver: receiver, Events: subject}}
	if _, err := gateway.New(gateway.Config{Accounts: accounts, Path: "/", JS: new(gatewayNATS), Meter: names}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(names.all, func(a, b instrument) int { return cmp.Compare(a.name, b.name) })
	var page strings.Builder
	page.WriteString(metricsPageHead)
	for _, i := range names.all {
		if i.help == "" {
			t.Errorf("%s has no description", i.name)
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", scraped(t, i), i.kind, cmp.Or(strings.NewReplacer("{", "", "}", "").Replace(i.unit), "–"), i.help)
	}
	path := filepath.Join("..", "..", "deploy", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(page.String(), string(have)); d != "" {
		t.Errorf("run this test with -update: -instruments +page\n%s", d)
	}
}

// scraped is the name under which Prometheus knows an instrument.
func scraped(t *testing.T, i instrument) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		t.Fatal(err)
	}
	meter := sdk.NewMeterProvider(sdk.WithReader(exporter)).Meter("")
	switch i.kind {
	case "counter":
		c, _ := meter.Int64Counter(i.name, metric.WithUnit(i.unit))
		c.Add(context.Background(), 1)
	case "gauge":
		g, _ := meter.Float64Gauge(i.name, metric.WithUnit(i.unit))
		g.Record(context.Background(), 1)
	case "histogram":
		h, _ := meter.Float64Histogram(i.name, metric.WithUnit(i.unit))
		h.Record(context.Background(), 1)
	}
	found, err := registry.Gather()
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %d metrics, %v", i.name, len(found), err)
	}
	return found[0].GetName()
}

type instrument struct{ name, kind, unit, help string }

// instruments is a meter that notes what is registered with it.
type instruments struct {
	noop.Meter
	all []instrument
}

func (m *instruments) add(name, kind, unit, help string) {
	m.all = append(m.all, instrument{name, kind, unit, help})
}

func (m *instruments) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	c := metric.NewInt64ObservableCounterConfig(o...)
	m.add(name, "counter", c.Unit(), c.Description())
	return m.Meter.Int64ObservableCounter(name, o...)
}

func (m *instruments) Int64Counter(name string, o ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	c := metric.NewInt64CounterConfig(o...)
	m.add(name, "counter", c.Unit(), c.Description())
	return m.Meter.Int64Counter(name, o...)
}

func (m *instruments) Int64ObservableGauge(name string, o ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	c := metric.NewInt64ObservableGaugeConfig(o...)
	m.add(name, "gauge", c.Unit(), c.Description())
	return m.Meter.Int64ObservableGauge(name, o...)
}

func (m *instruments) Float64ObservableGauge(name string, o ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	c := metric.NewFloat64ObservableGaugeConfig(o...)
	m.add(name, "gauge", c.Unit(), c.Description())
	return m.Meter.Float64ObservableGauge(name, o...)
}

func (m *instruments) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	c := metric.NewFloat64HistogramConfig(o...)
	m.add(name, "histogram", c.Unit(), c.Description())
	return m.Meter.Float64Histogram(name, o...)
}
