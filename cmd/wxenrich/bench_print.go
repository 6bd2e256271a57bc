package main

import (
	"fmt"
	"strconv"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// printComparison prints a row for each figure, and no column for what was not
// measured.
func (a *app) printComparison(r *bench.Comparison) error {
	number := func(v float64, f bench.Figure) string { return strconv.FormatFloat(v, 'f', f.Digits, 64) }
	value := func(of *bench.Figures, f bench.Figure) string {
		if v := *f.Of(of); v != 0 {
			return number(v, f)
		}
		return ""
	}
	quotient := func(of bench.Quotients, f bench.Figure) string {
		if q, ok := of[f.Key]; ok {
			return fmt.Sprintf("%.2f", q)
		}
		return ""
	}
	columns := []struct {
		name string
		of   func(bench.Figure) string
		none bool
	}{
		{name: "", of: func(f bench.Figure) string { return f.Name }},
		{name: "relay", of: func(f bench.Figure) string { return value(&r.Medians.Relay, f) }, none: len(r.Relay) == 0},
		{name: "service", of: func(f bench.Figure) string { return value(&r.Medians.Service, f) }},
		{name: "ratio", of: func(f bench.Figure) string { return quotient(r.Ratio, f) }, none: len(r.Relay) == 0},
		{name: "from–to", of: func(f bench.Figure) string { return number(*f.Of(&r.Least), f) + "–" + number(*f.Of(&r.Most), f) }},
		{name: "noise", of: func(f bench.Figure) string { return quotient(r.Noise, f) }, none: len(r.Control) == 0},
	}
	var header []string
	rows := make([][]string, len(bench.All))
	for _, c := range columns {
		if c.none {
			continue
		}
		header = append(header, c.name)
		for i, f := range bench.All {
			rows[i] = append(rows[i], c.of(f))
		}
	}
	fmt.Fprintf(a.out, "%s: %d events, %d runs of each, medians\n", r.Case.Name, r.Case.Load.Events, len(r.Service))
	return term.Of(a.out, a.getenv).Table(header, rows)
}
