package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// benchBar is a line of "bench bars": one limit and what was measured.
type benchBar struct {
	Bar  string  `json:"bar"`
	What string  `json:"what"`
	Most float64 `json:"most,omitempty"`
	Min  float64 `json:"least,omitempty"`
	Have float64 `json:"have"`
	Met  bool    `json:"met"`
}

func newBenchBarsCommand(a *app) *cobra.Command {
	var runs int
	var asJSON bool
	c := &cobra.Command{
		Use:   "bars [NAME]...",
		Short: "Measure the bars that the project has set itself",
		Long: `Bars measures what the project has promised itself for a machine with two cores:
throughput and processor time beside the relay, waits beside the API's own latency,
calls, memory and stops; all at concurrency 96, with calls of a lognormal length
(median 60 ms, p99 152 ms). It takes some four minutes for each of the runs. On a
machine that does other things too, waits and memory are larger.

Exit code 1 means that a bar was missed.`,
		Example: `  wxenrich bench bars
  wxenrich bench bars drain "bad openids" --runs 3`,
	}
	var names strings.Builder
	for _, b := range bench.Bars() {
		c.ValidArgs = append(c.ValidArgs, b.Case.Name)
		fmt.Fprintf(&names, "\n  %s", b.Case.Name)
	}
	c.Long += "\n\nThe bars:" + names.String()
	c.Flags().IntVar(&runs, "runs", 5, "runs of each")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		lines, err := a.benchBars(c.Context(), args, runs)
		if err != nil {
			return err
		}
		return a.printBars(lines, asJSON)
	}
	return c
}

// benchBars measures the named bars, or all, in turns: a round of all, then the
// next.
func (a *app) benchBars(ctx context.Context, names []string, runs int) (lines []benchBar, err error) {
	if runs < 1 {
		return nil, usage("--runs %d: want 1 or more", runs)
	}
	bars := bench.Bars()
	for _, name := range names {
		if !slices.ContainsFunc(bars, func(b bench.Bar) bool { return b.Case.Name == name }) {
			return nil, usage("no bar %q: see \"wxenrich bench bars --help\"", name)
		}
	}
	for _, b := range bars {
		if slices.Contains(names, b.Case.Name) {
			names = append(names, b.After...)
		}
	}
	program, err := a.benchProgram()
	if err != nil {
		return nil, err
	}
	results := bench.Results{}
	for range runs {
		for _, b := range bars {
			if len(names) > 0 && !slices.Contains(names, b.Case.Name) {
				continue
			}
			r, err := program.Compare(ctx, b.Case, bench.Options{Runs: 1, Relay: b.Relay, Say: func(what string) { fmt.Fprintln(a.err, what) }})
			if err != nil {
				return nil, err
			}
			results.Add(r)
		}
	}
	for _, b := range bars {
		r := results[b.Case.Name]
		if r == nil {
			continue
		}
		for _, l := range b.Limits {
			line := benchBar{Bar: b.Case.Name, What: l.What, Have: l.Of(r, results)}
			line.Met = l.Met(line.Have)
			if l.Least {
				line.Min = l.Value
			} else {
				line.Most = l.Value
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (a *app) printBars(lines []benchBar, asJSON bool) error {
	missed := 0
	var rows [][]string
	for _, l := range lines {
		want, met := fmt.Sprintf("≤ %g", l.Most), "met"
		if l.Min > 0 {
			want = fmt.Sprintf("≥ %g", l.Min)
		}
		if !l.Met {
			met = "missed"
			missed++
		}
		rows = append(rows, []string{l.Bar, l.What, want, fmt.Sprintf("%.4g", l.Have), met})
	}
	var err error
	if asJSON {
		err = a.printJSON(lines)
	} else {
		err = term.Of(a.out, a.getenv).Table([]string{"bar", "figure", "want", "have", ""}, rows)
	}
	if err == nil && missed > 0 {
		err = failed("%d of %d missed", missed, len(lines))
	}
	return err
}
