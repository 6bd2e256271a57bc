package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Scaling is what the page on scaling is made of.
type Scaling struct {
	Machine string  `json:"machine"`
	Points  []Point `json:"points"`
}

// Replace takes the points of a dimension in place of older ones.
func (s *Scaling) Replace(dimension string, points []Point) {
	var kept []Point
	for _, p := range s.Points {
		if p.Dimension != dimension {
			kept = append(kept, p)
		}
	}
	s.Points = append(kept, points...)
}

// Page writes the page: a table and a plot for each dimension.
func (s *Scaling) Page() string {
	var b strings.Builder
	b.WriteString("# How it scales\n\nMade by `wxenrich bench scale`, from [scaling.json](scaling.json); do not edit.\n\n")
	fmt.Fprintf(&b, "Measured on %s, with the NATS server and the simulated WeChat on the same cores: what counts is the form of\n", s.Machine)
	b.WriteString("the curves, not their height. If nothing else is said: one account, concurrency 96, 100 openids in a call, calls of\n60 ms in the median and 152 ms at the 99th percentile, bare openids, a backlog to drain. CPU is of the service's own\nprocesses, in seconds for 100,000 events; memory the peak of the largest.\n")
	fmt.Fprintf(&b, "A knee is the first value with %.0f %% of the most events/s of a curve that rises, the last with them of one that falls:\nsingle runs of one case differ by up to a fifth, so that where a curve bends slowly it may be a value beside it.\n", 100*nearly)
	for _, d := range Dimensions() {
		var rows strings.Builder
		for _, series := range d.Series {
			for _, p := range of(s.Points, d.Name, series.Name) {
				name := ""
				if len(d.Series) > 1 {
					name = series.Name + ", "
				}
				if p.Overload {
					fmt.Fprintf(&rows, "| %s%s | overload | | | | | |\n", name, thousands(p.Value))
					continue
				}
				fmt.Fprintf(&rows, "| %s%s | %s | %.2f | %.2f | %.0f | %.2f | %s |\n", name, thousands(p.Value), thousands(p.PerSecond), p.CPU, p.ServerCPU, p.Memory, p.Calls, wait(p.P50))
			}
		}
		if rows.Len() == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n![%s](scaling-%s.svg)\n\n", d.Title, d.Title, d.Name)
		fmt.Fprintf(&b, "%s\n\n", runsText(s.Points, d.Name))
		fmt.Fprintf(&b, "| %s | events/s | CPU | NATS server's CPU | peak MiB | calls per 1,000 | p50 |\n|---|---|---|---|---|---|---|\n%s\n%s\n", d.X, rows.String(), knees(d, s.Points))
	}
	return b.String()
}

// runsText says how many runs the figures of a dimension are of.
func runsText(points []Point, dimension string) string {
	least, most := math.MaxInt, 0
	for _, p := range points {
		if p.Dimension == dimension && !p.Overload {
			least, most = min(least, p.Runs), max(most, p.Runs)
		}
	}
	switch {
	case most <= 1:
		return "One run at each value."
	case least == most:
		return fmt.Sprintf("Medians of %d runs at each value.", most)
	}
	return fmt.Sprintf("Medians of %d to %d runs at each value.", least, most)
}

// wait is a time from milliseconds.
func wait(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// Pages is the page and its plots, by the names of their files.
func (s *Scaling) Pages() map[string]string {
	pages := map[string]string{"scaling.md": s.Page()}
	for _, d := range Dimensions() {
		if slices.ContainsFunc(s.Points, func(p Point) bool { return p.Dimension == d.Name }) {
			pages["scaling-"+d.Name+".svg"] = Plot(d, s.Points)
		}
	}
	return pages
}
