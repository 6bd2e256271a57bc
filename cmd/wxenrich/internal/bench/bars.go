package bench

import "time"

// A Bar is one measurement of the project's bars, with what it has to show.
type Bar struct {
	Case   Case
	Relay  bool     // measured beside the relay
	Limits []Limit  // what is asked of it
	After  []string // cases that it is compared with
}

// A Limit is what one figure may be at most, or must be at least.
type Limit struct {
	What  string
	Of    func(*Comparison, Results) float64
	Least bool // else most
	Value float64
}

// Results are comparisons by the names of their cases.
type Results map[string]*Comparison

// Met reports whether a value is within the limit.
func (l *Limit) Met(v float64) bool {
	if l.Least {
		return v >= l.Value
	}
	return v <= l.Value
}

// Of the API's latency in all bars, in milliseconds.
const (
	apiMedian = 60
	apiP99    = 152
)

func figure(name string) Figure {
	for _, f := range All {
		if f.Name == name {
			return f
		}
	}
	panic("no figure " + name) // a constant of ours
}

func most(name string, value float64) Limit {
	f := figure(name)
	return Limit{What: name, Value: value, Of: func(r *Comparison, _ Results) float64 { return *f.Of(&r.Medians.Service) }}
}

func ofRelay(what, name string, least bool, value float64) Limit {
	f := figure(name)
	return Limit{What: what, Value: value, Least: least, Of: func(r *Comparison, _ Results) float64 { return r.Ratio[f.Key] }}
}

// ofCase compares with another case of the same turn.
func ofCase(what, name, other string, least bool, value float64) Limit {
	f := figure(name)
	return Limit{What: what, Value: value, Least: least, Of: func(r *Comparison, all Results) float64 {
		if all[other] == nil {
			return 0
		}
		return *f.Of(&r.Medians.Service) / *f.Of(&all[other].Medians.Service)
	}}
}

// Bars are the bars: how fast and thrifty the service has to be, on a machine
// with two cores. What must never be lost is the fault suite's business.
func Bars() []Bar {
	live := func(name string, rate float64, length time.Duration, change func(*Case)) Case {
		c := Drain()
		c.Name, c.Load.Rate, c.Load.Events = name, rate, int(rate*length.Seconds())
		if change != nil {
			change(&c)
		}
		return c
	}
	drain := func(name string, change func(*Case)) Case {
		c := Drain()
		c.Name = name
		change(&c)
		return c
	}
	// 7 s for 100,000 events on the machine on which the relay took 9.2. That is
	// pace: fixed's; adaptive may make 15 calls more for 1,000 events, and a call
	// costs some 0.7 ms beside what its events do.
	const fixedCPU, callsCPU = 7 / 9.2, 15 * 100 * 0.0007 / 9.2
	liveCPU := func(most float64) Limit { return ofRelay("CPU, of the relay's", "CPU s per 100,000", false, most) }
	adaptive := func(c *Case) { c.Service.Pace = "adaptive" }
	return []Bar{
		{Case: Drain(), Relay: true, Limits: []Limit{
			ofRelay("events/s, of the relay's", "events/s", true, 0.42),
			ofRelay("CPU, of the relay's", "CPU s per 100,000", false, 2),
			most("peak memory, MiB", 64),
		}},
		{Case: live("2,000/s, adaptive", 2000, 20*time.Second, adaptive), Relay: true, Limits: []Limit{
			most("p50, ms", apiMedian+20), most("p99, ms", apiP99+20), most("calls per 1,000", 25), liveCPU(fixedCPU + callsCPU),
		}},
		{Case: live("2,000/s, fixed", 2000, 20*time.Second, nil), Relay: true, Limits: []Limit{most("calls per 1,000", 10.5), liveCPU(fixedCPU)}},
		{Case: live("20/s, adaptive", 20, 60*time.Second, adaptive), Limits: []Limit{
			most("p50, ms", apiMedian+8), most("p99, ms", apiP99+15), most("SIGTERM to the end, ms", 50),
		}},
		{Case: drain("bad openids", func(c *Case) { c.Load.Refused, c.Load.Malformed = 0.005, 0.005 }), After: []string{"drain"}, Limits: []Limit{
			ofCase("events/s, of the clean drain's", "events/s", "drain", true, 0.5), most("calls per 1,000", 55),
		}},
		{Case: drain("hot keys, backlog", func(c *Case) { c.Load.Hot, c.Load.Events = true, 20_000 }), Limits: []Limit{
			most("calls per 1,000", 4.5),
		}},
		{Case: live("hot keys, 2,000/s", 2000, 10*time.Second, func(c *Case) {
			c.Load.Hot, c.Service.RecentAge, c.Service.Window = true, time.Minute, 500*time.Millisecond
		}), Limits: []Limit{most("calls per 1,000", 4.8)}},
		{Case: live("1,500/s", 1500, 20*time.Second, nil), Limits: []Limit{most("calls per 1,000", 10.5)}},
		{Case: live("1,500/s, token killed every 5 s", 1500, 20*time.Second, func(c *Case) { c.Trouble.KillToken = 5 * time.Second }),
			After: []string{"1,500/s"}, Limits: []Limit{ofCase("p99, of the undisturbed", "p99, ms", "1,500/s", false, 1.1)}},
		{Case: live("1,500/s, 5 % -1 and 2 % 502", 1500, 20*time.Second, func(c *Case) {
			c.API.Faults = []string{"code=-1,probability=0.05", "status=502,probability=0.02"}
		}), Limits: []Limit{most("p99, ms", 300), most("calls per 1,000", 10.9)}},
		{Case: live("1,500/s, output refuses for 6 s", 1500, 15*time.Second, func(c *Case) { c.Trouble.Refuse = 6 * time.Second }),
			Limits: []Limit{most("calls per 1,000", 10.5)}},
		{Case: drain("SIGTERM under load", func(c *Case) { c.Load.Events, c.Trouble.StopEarly = 100_000, true }),
			Limits: []Limit{most("SIGTERM to the end, ms", 300+100)}}, // one call in a thousand takes 300 ms
	}
}
