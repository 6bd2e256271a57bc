package main

import (
	"fmt"
	"strconv"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// printComparison prints a row for each figure.
func (a *app) printComparison(r *bench.Comparison) error {
	var rows [][]string
	for _, f := range bench.All {
		value := func(of *bench.Figures) string {
			v := *f.Of(of)
			if v == 0 {
				return ""
			}
			return strconv.FormatFloat(v, 'f', f.Digits, 64)
		}
		quotient := func(q float64) string {
			if q == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", q)
		}
		least, most := bench.Spread(r.Service, f)
		rows = append(rows, []string{
			f.Name, value(&r.Medians.Relay), value(&r.Medians.Service), quotient(r.Ratio(f)),
			strconv.FormatFloat(least, 'f', f.Digits, 64) + "–" + strconv.FormatFloat(most, 'f', f.Digits, 64),
			quotient(r.Noise(f)),
		})
	}
	fmt.Fprintf(a.out, "%s: %d events, %d runs of each, medians\n", r.Case.Name, r.Case.Load.Events, len(r.Service))
	return term.Of(a.out, a.getenv).Table([]string{"", "relay", "service", "ratio", "from–to", "noise"}, rows)
}
