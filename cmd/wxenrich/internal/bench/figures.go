package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Figures are what one run has cost, or medians of several. Of the relay those
// about calls are 0.
type Figures struct {
	PerSecond  float64 `json:"events_per_second"`   // from the first answer to the last
	CPU        float64 `json:"cpu_s_per_100k"`      // of all replicas together; at a rate, from the first event on
	ServerCPU  float64 `json:"nats_cpu_s_per_100k"` // of the NATS server, the events' publishing included
	Allocs     float64 `json:"allocs_per_event"`
	AllocBytes float64 `json:"alloc_bytes_per_event"`
	P50        float64 `json:"p50_ms"` // from an event stored to its answer stored
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	Fill       float64 `json:"fill,omitempty"`           // openids in a call
	Calls      float64 `json:"calls_per_1000,omitempty"` // for 1,000 events
	Memory     float64 `json:"peak_mib"`                 // of the largest replica
	Stop       float64 `json:"stop_ms"`                  // from SIGTERM to its end, of the slowest replica

	Events int `json:"events"`
}

// add adds what a worker has spent: sums are made figures by measure.
func (f *Figures) add(s spent) {
	f.CPU += s.cpu.Seconds()
	f.Allocs += float64(s.Mallocs)
	f.AllocBytes += float64(s.Bytes)
	f.Memory = max(f.Memory, float64(s.memory)/(1<<20))
	f.Stop = max(f.Stop, milliseconds(s.took))
}

// measure makes figures of what has been added, and reads the others off the
// streams and the simulator.
func (w *world) measure(ctx context.Context, f *Figures, relay bool) error {
	n := float64(w.Load.Events)
	f.Events = w.Load.Events
	if !relay {
		calls, openids, err := w.asked(ctx)
		if err != nil {
			return err
		}
		f.Calls = 1000 * float64(calls) / n
		if calls > 0 {
			f.Fill = float64(openids) / float64(calls)
		}
	}
	waits, first, last, err := w.waits(ctx)
	if err != nil {
		return err
	}
	f.PerSecond = n / last.Sub(first).Seconds()
	slices.Sort(waits)
	f.P50, f.P99, f.Max = milliseconds(waits[len(waits)/2]), milliseconds(waits[len(waits)*99/100]), milliseconds(waits[len(waits)-1])
	server, err := w.nats.stop()
	if err != nil {
		return err
	}
	w.nats = nil
	const hundredThousand = 100_000
	f.CPU *= hundredThousand / n
	f.ServerCPU = server.cpu.Seconds() * hundredThousand / n
	f.Allocs /= n
	f.AllocBytes /= n
	return nil
}

// waits reads from the answers how long each event has waited, and holds the run
// to the law that each has exactly one.
func (w *world) waits(ctx context.Context) (waits []time.Duration, first, last time.Time, err error) {
	type event struct {
		stream string
		seq    uint64
	}
	seen := make(map[event]bool, w.Load.Events)
	for _, name := range []string{outputStream, deadStream} {
		state, err := w.state(ctx, name)
		if err != nil {
			return nil, first, last, err
		}
		var fault error
		err = scan.Read(ctx, w.js, scan.Span{Stream: name, End: state.LastSeq}, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			var src events.Source
			if src, _, _, fault = events.ParseMsgID(m.Headers().Get(events.HeaderMsgID)); fault != nil {
				return false
			}
			of := event{src.Stream, src.Seq}
			if seen[of] {
				fault = fmt.Errorf("event %d has two answers", src.Seq)
				return false
			}
			seen[of] = true
			if first.IsZero() || meta.Timestamp.Before(first) {
				first = meta.Timestamp
			}
			if meta.Timestamp.After(last) {
				last = meta.Timestamp
			}
			waits = append(waits, meta.Timestamp.Sub(src.Time))
			return true
		})
		if err := errors.Join(err, fault); err != nil {
			return nil, first, last, err
		}
	}
	if len(waits) != w.Load.Events {
		return nil, first, last, fmt.Errorf("%d answers to %d events", len(waits), w.Load.Events)
	}
	return waits, first, last, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A Figure is one of the Figures by name.
type Figure struct {
	Key    string // in JSON
	Name   string
	Of     func(*Figures) *float64
	Digits int
}

// All is every figure in the order of a table.
var All = []Figure{
	{"events_per_second", "events/s", func(f *Figures) *float64 { return &f.PerSecond }, 0},
	{"cpu_s_per_100k", "CPU s per 100,000", func(f *Figures) *float64 { return &f.CPU }, 2},
	{"nats_cpu_s_per_100k", "NATS server's CPU s per 100,000", func(f *Figures) *float64 { return &f.ServerCPU }, 2},
	{"allocs_per_event", "allocations per event", func(f *Figures) *float64 { return &f.Allocs }, 1},
	{"alloc_bytes_per_event", "bytes allocated per event", func(f *Figures) *float64 { return &f.AllocBytes }, 0},
	{"p50_ms", "p50, ms", func(f *Figures) *float64 { return &f.P50 }, 1},
	{"p99_ms", "p99, ms", func(f *Figures) *float64 { return &f.P99 }, 1},
	{"max_ms", "max, ms", func(f *Figures) *float64 { return &f.Max }, 1},
	{"fill", "openids in a call", func(f *Figures) *float64 { return &f.Fill }, 1},
	{"calls_per_1000", "calls per 1,000", func(f *Figures) *float64 { return &f.Calls }, 2},
	{"peak_mib", "peak memory, MiB", func(f *Figures) *float64 { return &f.Memory }, 0},
	{"stop_ms", "SIGTERM to the end, ms", func(f *Figures) *float64 { return &f.Stop }, 0},
}

// median takes each figure's median of several runs.
func median(runs []Figures) Figures {
	m, _, _ := spreads(runs)
	return m
}

// spreads takes each figure's median, and how far its runs are apart.
func spreads(runs []Figures) (mid, least, most Figures) {
	if len(runs) == 0 {
		return mid, least, most
	}
	mid, least, most = runs[0], runs[0], runs[0]
	for _, figure := range All {
		values := make([]float64, len(runs))
		for i := range runs {
			values[i] = *figure.Of(&runs[i])
		}
		*figure.Of(&mid), *figure.Of(&least), *figure.Of(&most) = spread(values)
	}
	return mid, least, most
}

// spread is the median of at least one value, the least and the most.
func spread(values []float64) (mid, least, most float64) {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]
}
