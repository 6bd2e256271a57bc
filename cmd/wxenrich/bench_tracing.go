package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

func newBenchTracingCommand(a *app) *cobra.Command {
	var rounds int
	var asJSON bool
	bc := bench.Drain()
	bc.Load.Events = 40_000
	c := &cobra.Command{
		Use:   "tracing",
		Short: "Measure what OpenTelemetry's traces cost",
		Long: `Tracing drains a backlog with traces off, off again, on without a single event
sampled, with one event in a hundred sampled, and with all, sent to a collector that
keeps nothing. Rounds of one short run each take turns; what counts is the median of
their quotients of processor time, the service's own.

Exit code 1 means that a bar was missed: 2 % without an event sampled, 5 % at one in
a hundred.`,
		Example: `  wxenrich bench tracing
  wxenrich bench tracing --rounds 31`,
		Args: arguments(cobra.NoArgs),
	}
	c.Flags().IntVar(&rounds, "rounds", 15, "rounds; each takes some fifteen seconds")
	c.Flags().IntVar(&bc.Load.Events, "events", bc.Load.Events, "events of a run")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if rounds < 1 || bc.Load.Events < 2 {
			return usage("want at least a round, and two events")
		}
		program, err := a.benchProgram()
		if err != nil {
			return err
		}
		all, err := program.Tracing(c.Context(), bc, rounds, func(what string) { fmt.Fprintln(a.err, what) })
		if err != nil {
			return err
		}
		return a.printOverheads(all, asJSON)
	}
	return c
}

func (a *app) printOverheads(all []bench.Overhead, asJSON bool) error {
	missed := 0
	var rows [][]string
	for _, o := range all {
		want := ""
		if o.Most > 0 {
			want = fmt.Sprintf("≤ %g", o.Most)
		}
		if !o.Met() {
			missed++
		}
		rows = append(rows, []string{o.Name, fmt.Sprintf("%.3f", o.Ratio), fmt.Sprintf("%.3f–%.3f", o.From, o.To), want, fmt.Sprint(o.Bytes)})
	}
	var err error
	if asJSON {
		err = a.printJSON(all)
	} else {
		err = term.Of(a.out, a.getenv).Table([]string{"tracing", "CPU, of none", "middle half", "want", "bytes sent"}, rows)
	}
	if err == nil && missed > 0 {
		err = failed("%d missed", missed)
	}
	return err
}
