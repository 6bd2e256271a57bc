package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/pipeline"
)

// BenchmarkScrape is one scrape of a thousand accounts that do nothing: half of what
// they cost is that.
func BenchmarkScrape(b *testing.B) {
	server := eventstest.NewServer(b)
	out, err := pipeline.NewPublisher(server.Connect())
	if err != nil {
		b.Fatal(err)
	}
	tele, err := newTelemetry(b.Context(), func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	lanes := make([]*pipeline.Lane, 1000)
	cfg := new(config.Config)
	for i := range lanes {
		appid := fmt.Sprintf("wx%016x", i)
		lanes[i], err = pipeline.NewLane(pipeline.Deps{JS: server.JetStream(), Out: out, WeChat: struct{ pipeline.Directory }{}, Timing: tele.timings}, pipeline.DefaultConfig(appid))
		if err != nil {
			b.Fatal(err)
		}
		cfg.Accounts = append(cfg.Accounts, config.Account{AppID: appid})
	}
	if err := pipeline.Observe(tele.meter, func() []*pipeline.Lane { return lanes }); err != nil {
		b.Fatal(err)
	}
	handler := promhttp.HandlerFor(gatherPresent(tele.registry, func() *config.Config { return cfg }), promhttp.HandlerOpts{})
	ask := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	ask.Header.Set("Accept-Encoding", "gzip")
	for b.Loop() {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, ask)
		b.ReportMetric(float64(answer.Body.Len()), "bytes")
	}
}
