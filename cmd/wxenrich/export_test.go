package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wxenrich/wxenrich/events"
)

// collector takes what is sent by OTLP over HTTP.
type collector struct {
	url  string
	news chan struct{} // holds a value when something has come

	mu      sync.Mutex
	raw     bytes.Buffer
	service map[string]bool
	spans   []*spans.Span
	metrics map[string]bool
	logs    []*logs.LogRecord
}

func newCollector(t *testing.T) *collector {
	c := &collector{news: make(chan struct{}, 1), service: map[string]bool{}, metrics: map[string]bool{}}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = c.take(r.URL.Path, body)
		}
		if err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *collector) take(path string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		select {
		case c.news <- struct{}{}:
		default:
		}
	}()
	c.raw.Write(body)
	switch path {
	case "/v1/traces":
		var m coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			return err
		}
		for _, r := range m.ResourceSpans {
			for _, a := range r.Resource.Attributes {
				if a.Key == "service.name" {
					c.service[a.Value.GetStringValue()] = true
				}
			}
			for _, s := range r.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	case "/v1/metrics":
		var m colmetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			return err
		}
		for _, r := range m.ResourceMetrics {
			for _, s := range r.ScopeMetrics {
				for _, m := range s.Metrics {
					c.metrics[m.Name] = true
				}
			}
		}
	case "/v1/logs":
		var m collogs.ExportLogsServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			return err
		}
		for _, r := range m.ResourceLogs {
			for _, s := range r.ScopeLogs {
				c.logs = append(c.logs, s.LogRecords...)
			}
		}
	}
	return nil
}

// until waits for something to have come.
func (c *collector) until(t *testing.T, what string, there func() bool) {
	t.Helper()
	timeout := time.After(everything)
	for {
		c.mu.Lock()
		ok := there()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.news:
		case <-timeout:
			t.Fatalf("the collector waits for %s: %v", what, c.metrics)
		}
	}
}

// One variable sends everything to a collector: the trace of an event from its
// producer to its record, metrics, and logs that know their trace.
func TestTheServiceExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCollector(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all", "WXENRICH_LOG_LEVEL=debug",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_BLRP_SCHEDULE_DELAY=50", "OTEL_METRIC_EXPORT_INTERVAL=200")
	js := w.streams(t)
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	m := nats.NewMsg("wx.events." + testAppID + ".subscribe")
	m.Data = []byte(w.account.OpenID(1))
	m.Header[events.HeaderTraceParent] = []string{"00-" + trace + "-" + parent + "-01"}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	p := w.process(t, "run")
	p.up(t, "lane is running")
	collect(t, js, 1)
	record, err := js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	context := strings.Split(r.Header[events.HeaderTraceParent][0], "-")
	c.until(t, "the metrics", func() bool { return c.metrics["wxenrich.records"] && c.metrics["wxenrich.event.duration"] })
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}

	c.mu.Lock() // the process has sent all that it had
	defer c.mu.Unlock()
	below := map[string]string{} // by the id of a span, how it comes from the producer's
	for range c.spans {
		for _, s := range c.spans {
			if hex.EncodeToString(s.TraceId) != trace {
				continue
			}
			if from := hex.EncodeToString(s.ParentSpanId); from == parent {
				below[hex.EncodeToString(s.SpanId)] = s.Name
			} else if path, ok := below[from]; ok {
				below[hex.EncodeToString(s.SpanId)] = path + " / " + s.Name
			}
		}
	}
	got := slices.Compact(slices.Sorted(maps.Values(below)))
	got = slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "stable_token") }) // whoever asks first has it
	want := []string{
		"process WX_EVENTS",
		"process WX_EVENTS / create wx.profiles.{appid}",
		"process WX_EVENTS / look up",
		"process WX_EVENTS / look up / POST /cgi-bin/user/info/batchget",
		"process WX_EVENTS / look up / settle WX_EVENTS",
		"process WX_EVENTS / look up / settle WX_EVENTS / send wx.profiles.{appid}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if context[1] != trace || below[context[2]] != "process WX_EVENTS / create wx.profiles.{appid}" {
		t.Errorf("the record carries %q", context)
	}
	var lines []string
	for _, l := range c.logs {
		if l.Body.GetStringValue() == "batch" && hex.EncodeToString(l.TraceId) == trace {
			lines = append(lines, l.Body.GetStringValue())
		}
	}
	if len(lines) != 1 {
		t.Errorf("of %d lines sent, %d are of the batch and know its trace", len(c.logs), len(lines))
	}
	if out := p.out.waitFor(""); !strings.Contains(out, "trace_id="+trace) {
		t.Errorf("no line on standard error has the trace:\n%s", out)
	}
	if !c.service["wxenrich"] {
		t.Errorf("services: %v", c.service)
	}
	for _, no := range []string{testSecret, "access_token="} {
		if bytes.Contains(c.raw.Bytes(), []byte(no)) {
			t.Errorf("%q is sent to the collector", no)
		}
	}
}
