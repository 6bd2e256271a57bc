package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
)

// benchFlags is what the command line says.
type benchFlags struct {
	c       bench.Case
	length  time.Duration // with a rate
	runs    int
	relay   bool
	control bool
	profile bench.Profiles
	json    bool
}

func newBenchCommand(a *app) *cobra.Command {
	f := benchFlags{c: bench.Drain()}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the service beside a bare relay",
		Long: `Bench measures the service against a NATS server and a simulated WeChat, each a
process of its own, on this machine. It needs nothing and leaves nothing behind.

Without --rate the events are there before the service begins: a backlog to drain.
With it they come at that rate, and what counts is how long each waits from being
stored to its record being stored.

The same load also goes through a relay that only moves messages, with message ids
and publish acks: the ceiling that JetStream sets. Runs of both take turns. On a
machine that does other things too trust the ratio, which is the median of the
rounds', and not the figures. "noise" is the same of the very same service, measured
twice: 1.00 would be none.

With --json all of it is one object. "relay", "service" and "control" (the service
again) are the figures of each run; "medians" are of each of these, "least" and
"most" of the service; "ratio" and "noise" are the table's, by figure. What was not
measured is absent, and so is a quotient by 0. "version", "cpus" and "case" say what
was measured; lengths of time in "case" are in nanoseconds.

Every run also checks that each event has exactly one answer.

"wxenrich bench bars" measures every bar that the project has set itself.`,
		Example: `  wxenrich bench
  wxenrich bench --rate 2000 --for 20s --pace adaptive
  wxenrich bench --events 20000 --hot --runs 1 --json`,
	}
	var figures strings.Builder
	for _, of := range bench.All {
		fmt.Fprintf(&figures, "\n  %-23s %s", of.Key, of.Name)
	}
	c.Long += "\n\nThe figures, as JSON and the table name them:" + figures.String()
	fl := c.Flags()
	l, s, api := &f.c.Load, &f.c.Service, &f.c.API
	fl.IntVar(&l.Events, "events", l.Events, "events of a backlog")
	fl.Float64Var(&l.Rate, "rate", 0, "events a second, for so long as --for says; 0 is a backlog")
	fl.DurationVar(&f.length, "for", 20*time.Second, "how long events come, with --rate")
	fl.IntVar(&l.Accounts, "accounts", l.Accounts, "accounts that the events are of")
	fl.BoolVar(&l.Streams, "streams", false, "each account has an input stream of its own")
	fl.BoolVar(&s.Memory, "durables-in-memory", false, "input.durable_storage: memory")
	fl.BoolVar(&l.Hot, "hot", false, "some people occur far more often than others")
	fl.Float64Var(&l.Refused, "refused", 0, "share of openids that WeChat refuses, such as 0.005")
	fl.Float64Var(&l.Malformed, "malformed", 0, "share of openids that are none")
	fl.IntVar(&l.Meta, "meta", 0, "bytes of meta in an event and in its record")
	fl.IntVar(&s.Replicas, "replicas", s.Replicas, "processes that share the work")
	fl.IntVar(&s.Idle, "idle", 0, "further accounts without events")
	fl.IntVar(&s.Concurrency, "concurrency", s.Concurrency, "accounts[].concurrency")
	fl.IntVar(&s.BatchSize, "batch-size", s.BatchSize, "batch.size")
	fl.DurationVar(&s.Window, "window", s.Window, "batch.window")
	fl.StringVar(&s.Pace, "pace", s.Pace, "batch.pace: fixed or adaptive")
	fl.DurationVar(&s.RecentAge, "recent-max-age", 0, "recent.max_age")
	fl.BoolVar(&s.Atomic, "atomic", false, "output.publish: atomic")
	fl.StringVar(&api.Latency, "latency", api.Latency, "time of an API call, or its median/p99")
	fl.StringArrayVar(&api.Faults, "fault", nil, "fault of the API, as for simulate; may be repeated")
	fl.DurationVar(&f.c.Trouble.KillToken, "kill-token", 0, "make the token invalid so often")
	fl.DurationVar(&f.c.Trouble.Refuse, "refuse-output", 0, "have the output refuse messages for so long")
	fl.IntVar(&f.runs, "runs", 3, "runs of each, in turns")
	fl.BoolVar(&f.relay, "relay", true, "measure the relay too")
	fl.BoolVar(&f.control, "control", true, "measure the service twice, to show the noise")
	fl.StringVar(&f.profile.CPU, "cpuprofile", "", "file for a profile of the service's processor time, for go tool pprof")
	fl.StringVar(&f.profile.Memory, "memprofile", "", "the same of what it allocates and holds")
	fl.BoolVar(&f.json, "json", false, "print JSON, with each run, the ratios and the noise")
	register(c, "pace", "fixed", "adaptive")
	group(c)
	c.Args = arguments(cobra.NoArgs)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.bench(c.Context(), f) }
	c.AddCommand(newBenchBarsCommand(a), newBenchScaleCommand(a), newBenchTracingCommand(a), newBenchChildCommand(a), newBenchNATSCommand(a), newBenchRelayCommand(a))
	return c
}

// benchProgram is how the processes of a benchmark are started: without what
// would lead them to somebody's NATS server, accounts or collector.
func (a *app) benchProgram() (bench.Program, error) {
	path, err := os.Executable()
	elsewhere := func(variable string) bool {
		return strings.HasPrefix(variable, "WXENRICH_") || strings.HasPrefix(variable, "NATS_") || strings.HasPrefix(variable, "OTEL_")
	}
	return bench.Program{Path: path, Environ: slices.DeleteFunc(slices.Clone(a.environ), elsewhere)}, err
}

func (a *app) bench(ctx context.Context, f benchFlags) error {
	if f.c.Load.Rate > 0 {
		f.c.Name, f.c.Load.Events = "open loop", int(f.c.Load.Rate*f.length.Seconds())
	}
	if err := f.check(); err != nil {
		return err
	}
	program, err := a.benchProgram()
	if err != nil {
		return err
	}
	r, err := program.Compare(ctx, f.c, bench.Options{
		Runs: f.runs, Relay: f.relay, Control: f.control, Profile: f.profile,
		Say: func(what string) { fmt.Fprintln(a.err, what) },
	})
	if err != nil {
		return err
	}
	if f.json {
		return a.printJSON(struct {
			Version version `json:"version"`
			CPUs    int     `json:"cpus"`
			*bench.Comparison
		}{buildVersion(), runtime.NumCPU(), r})
	}
	return a.printComparison(r)
}
