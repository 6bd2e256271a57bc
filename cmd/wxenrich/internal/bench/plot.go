package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Measures of a plot in pixels.
const (
	plotWidth, plotHeight = 640, 320
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 40, 50
)

var plotColours = []string{"#1668b0", "#c4561c", "#3a8a3a", "#7a4aa8"}

// Plot draws a dimension's events a second as SVG: a curve for each series, from
// zero, with a ring where it bends, on a ground that suits light and dark pages.
func Plot(d Dimension, points []Point) string {
	var most float64
	for _, p := range points {
		if p.Dimension == d.Name {
			most = max(most, p.PerSecond)
		}
	}
	top := niceAbove(most)
	x := func(v float64) float64 {
		scale := func(v float64) float64 {
			if d.Log {
				return math.Log(max(v, 1))
			}
			return v
		}
		low, high := scale(d.Values[0]), scale(d.Values[len(d.Values)-1])
		return plotLeft + (scale(v)-low)/(high-low)*(plotWidth-plotLeft-plotRight)
	}
	y := func(v float64) float64 { return plotHeight - plotBottom - v/top*(plotHeight-plotTop-plotBottom) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, plotHeight)
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	for i := range 5 {
		v := top * float64(i) / 4
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/>`+"\n", plotLeft, y(v), plotWidth-plotRight)
		text(plotLeft-6, y(v)+4, "end", thousands(v))
	}
	for _, v := range d.Values {
		text(x(v), plotHeight-plotBottom+18, "middle", thousands(v))
	}
	text(plotWidth/2, plotHeight-12, "middle", d.X)
	text(plotLeft, 18, "start", d.Title+": events/s")
	for i, s := range d.Series {
		colour := plotColours[i%len(plotColours)]
		var line []string
		curve := of(points, d.Name, s.Name)
		bend := knee(d.Bend, curve)
		for i, p := range curve {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(p.Value), y(p.PerSecond)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(p.Value), y(p.PerSecond), colour)
			if i == bend {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="7" fill="none" stroke="%s"/>`+"\n", x(p.Value), y(p.PerSecond), colour)
				text(x(p.Value), y(p.PerSecond)+22, "middle", "knee")
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), colour)
		if len(d.Series) > 1 {
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`+"\n", plotWidth-plotRight, 18+14*i, colour, html.EscapeString(s.Name))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// niceAbove is the next 1, 2, 4 or 8 times a power of ten.
func niceAbove(v float64) float64 {
	ten := math.Pow(10, math.Floor(math.Log10(max(v, 1))))
	for _, n := range []float64{1, 2, 4, 8} {
		if v <= n*ten {
			return n * ten
		}
	}
	return 10 * ten
}

// thousands is a number with a comma at each thousand.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
