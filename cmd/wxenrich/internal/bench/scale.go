package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A Dimension is one thing that the load or the service is varied in.
type Dimension struct {
	Name   string
	Title  string // of the table and of the plot
	X      string // what is varied
	Values []float64
	Series []Series
	Log    bool // the values are plotted by their logarithm
	Bend   Bend
	Why    string // the curve bends where it does
}

// Series is one curve: how a case is made of a value.
type Series struct {
	Name  string
	Relay bool // the relay's, which one shared durable feeds
	Make  func(c *Case, value float64)
}

// A Point is what was measured of a series at a value.
type Point struct {
	Dimension string  `json:"dimension"`
	Series    string  `json:"series"`
	Value     float64 `json:"value"`
	Runs      int     `json:"runs"`               // that the figures are the medians of
	Overload  bool    `json:"overload,omitempty"` // it did not end in its time: see patience
	Figures
}

// patience is how long one run of a case may take: beyond it something is
// overloaded. A backlog of millions has its time.
func patience(c Case) time.Duration {
	return 4*time.Minute + time.Duration(c.Load.Events/5_000)*time.Second
}

// serviceOnly is one curve of the service.
func serviceOnly(change func(*Case, float64)) []Series {
	return []Series{{Name: "service", Make: change}}
}

// Dimensions are those of the page on scaling.
func Dimensions() []Dimension {
	return []Dimension{
		{
			Name: "concurrency", Title: "Calls in flight", X: "concurrency", Values: []float64{4, 8, 16, 32, 64, 96, 192}, Log: true, Bend: Rises,
			Series: serviceOnly(func(c *Case, v float64) { c.Service.Concurrency, c.Load.Events = int(v), int(min(100_000, 6000*v)) }),
			Why:    "The knee is where the cores are full: below it a lane waits for WeChat and does concurrency × 100 openids in a call's time; above it no more calls are in flight than are stored as they come, whatever concurrency allows.",
		},
		{
			Name: "batch", Title: "Openids in a call", X: "batch.size", Values: []float64{10, 25, 50, 75, 100}, Bend: Rises,
			Series: serviceOnly(func(c *Case, v float64) { c.Service.BatchSize, c.Load.Events = int(v), int(1000*v) }),
			Why:    "A call costs much the same whatever it asks for, so that a smaller batch costs calls and processor time and gains nothing: leave it at WeChat's 100, whether events/s bend before or not.",
		},
		{
			Name: "latency", Title: "How long a call takes", X: "median, ms", Values: []float64{10, 30, 60, 120, 250, 500, 1000}, Log: true, Bend: Falls,
			Series: serviceOnly(func(c *Case, v float64) {
				c.API.Latency = fmt.Sprintf("%gms/%gms", v, 2.5*v)
				c.Load.Events = 100_000
			}),
			Why: "While concurrency × 100 ÷ latency is twice what the machine can do or more, the latency does not matter: calls do not come evenly; behind the knee it is all that matters, and more concurrency moves the knee to the right.",
		},
		{
			Name: "accounts", Title: "Busy accounts", X: "accounts", Values: []float64{1, 10, 100, 1000}, Log: true, Bend: Falls,
			Series: []Series{
				{Name: "one stream, a durable for each", Make: busyAccounts(false, false)},
				{Name: "a stream for each", Make: busyAccounts(true, false)},
				{Name: "one shared durable (the relay)", Relay: true, Make: busyAccounts(false, false)},
			},
			Why: "A filtered durable makes the server walk what it skips: with one stream its cost for an event grows with the accounts. The relay has one durable, which walks nothing, and makes no lanes. The columns contain the start of the lanes, which for a thousand is a good part of it. See pipeline/adr/0012.",
		},
		{
			Name: "busy", Title: "Busy accounts, 5,000 events a second in all", X: "accounts", Values: []float64{1, 10, 100, 1000}, Log: true, Bend: Falls,
			Series: []Series{
				{Name: "one stream, a durable for each", Make: live(busyAccounts(false, false))},
				{Name: "a stream for each", Make: live(busyAccounts(true, false))},
				{Name: "a stream for each, durables in memory", Make: live(busyAccounts(true, true))},
				{Name: "one shared durable (the relay)", Relay: true, Make: live(busyAccounts(false, false))},
			},
			Why: "Live, with pace: fixed and a window of two seconds; who answers 5,000 a second keeps up. Beyond a hundred accounts the server spends most on writing down, for each durable, what it has delivered, up to ten times a second; input.durable_storage: memory saves that, and a stream for each saves the walk. The columns begin with the first event. See pipeline/adr/0014.",
		},
		{
			Name: "idle", Title: "Accounts without events", X: "idle accounts", Values: []float64{0, 100, 999}, Bend: Flat, // a stream has room for a thousand durables
			Series: serviceOnly(func(c *Case, v float64) {
				c.Service.Idle, c.Load.Events, c.Load.Rate = int(v), 100_000, 5000
			}),
			Why: "At 5,000 events a second, and the columns begin with the first one, when all lanes run. An idle lane costs its start, a few milliseconds of processor time of the service's and of the server's, and then 0.1 MiB and some 30 µs of processor time a second, as long as others are busy: what keeps its pull alive, and a larger heap for the garbage collector to walk. That is a cost of time and not of events.",
		},
		{
			Name: "replicas", Title: "Processes that share the work", X: "replicas", Values: []float64{1, 2, 3, 4, 6}, Bend: Rises,
			Series: serviceOnly(func(c *Case, v float64) {
				c.Service.Replicas, c.Service.Concurrency, c.Load.Events = int(v), 8, int(30_000*v)
			}),
			Why: "At concurrency 8 a replica waits for WeChat, and each further one adds its calls, until the cores that they share are full: replicas on machines of their own go on, until the NATS server is.",
		},
		{
			Name: "record", Title: "Bytes of meta in an event and its record", X: "meta, bytes", Values: []float64{64, 256, 512, 1024, 2048, 4096, 16384}, Log: true, Bend: Falls,
			Series: serviceOnly(func(c *Case, v float64) { c.Load.Meta, c.Load.Events = int(v), int(min(60_000, 250e6/v)) }),
			Why:    "While meta is no longer than the rest of a record, what WeChat says of a person, events are what is paid for; behind the knee it is bytes, and the server and its disk pay most of them.",
		},
		{
			Name: "backlog", Title: "Events in the backlog", X: "events", Values: []float64{10_000, 100_000, 1_000_000, 10_000_000}, Log: true, Bend: Flat,
			Series: []Series{
				{Name: "service", Make: backlogOf},
				{Name: "the relay", Relay: true, Make: backlogOf},
			},
			Why: "What an event costs the service does not grow with the backlog; the first ten thousand pay for its start. Memory grows until what is remembered of answers (recent.memory) and of unionids is full. What grows with what is stored is the NATS server's own share, with the relay too, and by the cores that it takes a long backlog is slower.",
		},
	}
}

func backlogOf(c *Case, v float64) { c.Load.Events = int(v) }

// busyAccounts is a backlog of many accounts' events, which take turns.
func busyAccounts(streams, memory bool) func(*Case, float64) {
	return func(c *Case, v float64) {
		c.Load.Accounts, c.Load.Streams, c.Load.Events = int(v), streams, 50_000
		c.Service.Concurrency, c.Service.Memory = max(4, c.Service.Concurrency/int(v)), memory
	}
}

// live has the events of a case come at a rate.
func live(backlog func(*Case, float64)) func(*Case, float64) {
	return func(c *Case, v float64) {
		backlog(c, v)
		c.Load.Events, c.Load.Rate = 100_000, 5000
		c.Service.Window = 2 * time.Second
	}
}

// Scale measures a dimension: the median of some runs at each value.
func (p Program) Scale(ctx context.Context, d Dimension, runs int, say func(string)) ([]Point, error) {
	var points []Point
	for _, s := range d.Series {
		for _, v := range d.Values {
			c := Drain()
			c.Name = d.Name
			s.Make(&c, v)
			var all []Figures
			overload := false
			for range runs {
				say(fmt.Sprintf("%s: %s, %g", d.Name, s.Name, v))
				limited, cancel := context.WithTimeout(ctx, patience(c))
				f, err := p.Run(limited, &c, s.Relay, Profiles{})
				late := limited.Err() != nil
				cancel()
				switch {
				case err == nil:
					all = append(all, f)
				case ctx.Err() == nil && late:
					overload = true
				default:
					return nil, fmt.Errorf("%s, %s, %g: %w", d.Name, s.Name, v, err)
				}
				if overload {
					break
				}
			}
			points = append(points, Point{Dimension: d.Name, Series: s.Name, Value: v, Runs: len(all), Overload: overload, Figures: median(all)})
		}
	}
	return points, nil
}

// of is the points of a series, in order.
func of(points []Point, dimension, series string) []Point {
	var own []Point
	for _, p := range points {
		if p.Dimension == dimension && p.Series == series {
			own = append(own, p)
		}
	}
	slices.SortFunc(own, func(a, b Point) int { return int(a.Value - b.Value) })
	return own
}
