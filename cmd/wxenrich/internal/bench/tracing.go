package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
)

// An Overhead is what a way of tracing costs beside none.
type Overhead struct {
	Name  string  `json:"name"`
	Ratio float64 `json:"cpu_ratio"`     // processor time of an event over that without tracing: the median of the rounds' quotients
	From  float64 `json:"cpu_ratio_low"` // the middle half of them
	To    float64 `json:"cpu_ratio_high"`
	Most  float64 `json:"most"`  // the bar
	Bytes int64   `json:"bytes"` // that a collector was sent
}

// Met reports whether it is within its bar.
func (o *Overhead) Met() bool { return o.Most == 0 || o.Ratio <= o.Most }

// Tracing measures what tracing costs the service: nothing but processes that
// differ in OpenTelemetry's variables, in rounds of one run each, since the noise
// of a machine that others use is the same for neighbours in time only. Spans go
// to a collector that takes everything and keeps nothing.
func (p Program) Tracing(ctx context.Context, c Case, rounds int, say func(string)) ([]Overhead, error) {
	var taken atomic.Int64
	url, stop, err := sink(&taken)
	if err != nil {
		return nil, err
	}
	defer stop()
	share := func(share string) []string {
		return []string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + url,
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + share}
	}
	ways := []struct {
		environ []string
		Overhead
		quotients []float64
	}{
		{Overhead: Overhead{Name: "off again"}}, // what is noise
		{environ: share("0"), Overhead: Overhead{Name: "on, no event sampled", Most: 1.02}},
		{environ: share("0.01"), Overhead: Overhead{Name: "1 % sampled", Most: 1.05}},
		{environ: share("1"), Overhead: Overhead{Name: "all sampled"}},
	}
	for round := range rounds {
		cost := func(name string, environ []string) (float64, error) {
			say(fmt.Sprintf("round %d of %d: %s", round+1, rounds, name))
			traced := Program{Path: p.Path, Environ: slices.Concat(p.Environ, environ)}
			f, err := traced.Run(ctx, &c, false, Profiles{})
			return f.CPU, err
		}
		off, err := cost("off", nil)
		if err != nil {
			return nil, err
		}
		for i := range ways {
			w := &ways[(i+round)%len(ways)] // none is always next to the one without
			taken.Store(0)
			cpu, err := cost(w.Name, w.environ)
			if err != nil {
				return nil, err
			}
			w.quotients = append(w.quotients, cpu/off)
			w.Bytes = taken.Load()
		}
	}
	out := make([]Overhead, len(ways))
	for i, w := range ways {
		slices.Sort(w.quotients)
		n := len(w.quotients)
		w.Ratio, w.From, w.To = w.quotients[n/2], w.quotients[n/4], w.quotients[n-1-n/4]
		out[i] = w.Overhead
	}
	return out, nil
}

// sink is a collector that counts the bytes of what it is sent.
func sink(taken *atomic.Int64) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		taken.Add(n)
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty message: all is taken
	})}
	go func() { _ = s.Serve(l) }()
	return "http://" + l.Addr().String() + "/v1/traces", func() { _ = s.Close() }, nil
}
