package bench

import (
	"strings"
	"testing"
)

func curve(perSecond ...float64) (points []Point) {
	for i, n := range perSecond {
		points = append(points, Point{Dimension: "d", Series: "s", Value: float64(i + 1), Figures: Figures{PerSecond: n, CPU: 2 + float64(i), ServerCPU: 4, Memory: 10}})
	}
	return points
}

func TestKnee(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bend  Bend
		curve []Point
		want  int
		says  string
	}{
		"rises to a ceiling":        {Rises, curve(10, 50, 90, 100, 95), 2, "**Knee: 3.** 90 events/s at 3, 90 % of the most (at 4)."},
		"full from the beginning":   {Rises, curve(95, 100), 0, "**Knee: 1.**"},
		"still rises at its end":    {Rises, curve(10, 20, 30), -1, "No knee up to 3: 10 events/s at 1, 30 events/s at 3."},
		"falls":                     {Falls, curve(100, 95, 86, 50), 2, "**Knee: 3.** 86 events/s at 3; 50 events/s at 4, 50 % of the most."},
		"rises before it falls":     {Falls, curve(80, 100, 40), 1, "**Knee: 2.**"},
		"does not fall":             {Falls, curve(100, 95), -1, "No knee up to 2"},
		"comes back by chance":      {Falls, curve(100, 80, 90), 0, "**Knee: 1.**"},
		"overloaded at its end":     {Falls, curve(100, 0), 0, "0 events/s at 2, 0 % of the most."},
		"flat has factors, no knee": {Flat, curve(100, 90), -1, "From 1 to 2: events/s × 0.90, CPU of an event × 1.50, of the NATS server's × 1.00, memory × 1.00."},
		"flat, of several values":   {Flat, curve(100, 90, 99), -1, "From 1 to 3: events/s × 0.99, CPU of an event × 2.00, of the NATS server's × 1.00, memory × 1.00; from 2 to 3: events/s × 1.10, CPU"},
		"nothing was measured":      {Rises, nil, -1, ""},
	} {
		if got := knee(tc.bend, tc.curve); got != tc.want {
			t.Errorf("%s: the knee is at %d, want %d", name, got, tc.want)
		}
		d := Dimension{Name: "d", Bend: tc.bend, Series: []Series{{Name: "s"}}}
		if got := knees(d, tc.curve); !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q, want %q", name, got, tc.says)
		}
	}
}

// What did not end says nothing about how a cost grows.
func TestOverloadHasNoFactors(t *testing.T) {
	t.Parallel()
	d := Dimension{Name: "d", Bend: Flat, Series: []Series{{Name: "s"}}, Why: "why"}
	point := func(value float64) Point {
		return Point{Dimension: "d", Series: "s", Value: value, Figures: Figures{PerSecond: 1, CPU: 1, ServerCPU: 1, Memory: 1}}
	}
	late := Point{Dimension: "d", Series: "s", Value: 100, Overload: true}
	if got := knees(d, []Point{point(1), point(10), late}); !strings.HasPrefix(got, "From 1 to 10: events/s × 1.00") {
		t.Errorf("with an overload at the end: %s", got)
	}
	if got := knees(d, []Point{point(1), late}); strings.Contains(got, "×") {
		t.Errorf("of one value: %s", got)
	}
}
