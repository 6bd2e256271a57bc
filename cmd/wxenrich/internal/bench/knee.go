package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Bend is what events a second are expected to do as a dimension's value grows.
type Bend int

// Bends.
const (
	Rises Bend = iota // until something is full
	Falls             // from where something is full
	Flat              // and so does what an event costs
)

// nearly is the share of a curve's most events a second that counts as all of
// them: medians of few runs of one case differ by up to that.
const nearly = 0.85

// knee is the value where a curve bends: the first that has nearly the most of a
// curve that rises, the last until which one that falls has. It is -1 if the
// curve has not bent within what was measured.
func knee(bend Bend, curve []Point) int {
	if bend == Flat || len(curve) == 0 {
		return -1
	}
	all := nearly * highest(curve).PerSecond
	has := func(p Point) bool { return p.PerSecond >= all }
	at := slices.IndexFunc(curve, has)
	if bend == Falls {
		for at+1 < len(curve) && has(curve[at+1]) {
			at++
		}
	}
	if at == len(curve)-1 {
		return -1
	}
	return at
}

// highest is the point with the most events a second.
func highest(curve []Point) Point {
	return slices.MaxFunc(curve, func(a, b Point) int { return cmp.Compare(a.PerSecond, b.PerSecond) })
}

// bent says where a curve bends, in numbers.
func bent(d Dimension, curve []Point) string {
	first, last := curve[0], curve[len(curve)-1]
	at := func(p Point) string {
		return fmt.Sprintf("%s events/s at %s", thousands(p.PerSecond), thousands(p.Value))
	}
	i, top := knee(d.Bend, curve), highest(curve)
	switch {
	case d.Bend == Flat && len(curve) > 2:
		return "From " + factors(first, last) + "; from " + factors(curve[len(curve)-2], last) + "."
	case d.Bend == Flat:
		return "From " + factors(first, last) + "."
	case i < 0:
		return fmt.Sprintf("No knee up to %s: %s, %s.", thousands(last.Value), at(first), at(last))
	case d.Bend == Rises:
		return fmt.Sprintf("**Knee: %s.** %s, %.0f %% of the most (at %s).", thousands(curve[i].Value), at(curve[i]), 100*curve[i].PerSecond/top.PerSecond, thousands(top.Value))
	}
	next := curve[i+1]
	return fmt.Sprintf("**Knee: %s.** %s; %s, %.0f %% of the most.", thousands(curve[i].Value), at(curve[i]), at(next), 100*next.PerSecond/top.PerSecond)
}

// factors is by what the figures are multiplied from one point to another.
func factors(from, to Point) string {
	return fmt.Sprintf("%s to %s: events/s × %.2f, CPU of an event × %.2f, of the NATS server's × %.2f, memory × %.2f", thousands(from.Value), thousands(to.Value),
		to.PerSecond/from.PerSecond, to.CPU/from.CPU, to.ServerCPU/from.ServerCPU, to.Memory/from.Memory)
}

// knees says of each curve of a dimension where it bends, and why.
func knees(d Dimension, points []Point) string {
	var b strings.Builder
	for _, s := range d.Series {
		curve := of(points, d.Name, s.Name)
		if d.Bend == Flat { // what did not end has no figures to compare
			curve = slices.DeleteFunc(curve, func(p Point) bool { return p.Overload })
		}
		if len(curve) == 0 || d.Bend == Flat && len(curve) < 2 {
			continue
		}
		if len(d.Series) > 1 {
			b.WriteString("- " + s.Name + ": ")
		}
		b.WriteString(bent(d, curve) + "\n")
	}
	return b.String() + "\n" + d.Why
}
