package bench

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRatioIsOfRounds(t *testing.T) {
	t.Parallel()
	cpu := func(values ...float64) (runs []Figures) {
		for _, v := range values {
			runs = append(runs, Figures{CPU: v, PerSecond: 1})
		}
		return runs
	}
	// The machine was three times as slow in the second round, and the ratio was not.
	r := Comparison{Relay: cpu(1, 3, 1), Service: cpu(2, 6, 2.2), Control: cpu(2, 6, 2.2)}
	r.sum()
	if got := r.Ratio["cpu_s_per_100k"]; got != 2 {
		t.Errorf("ratio %g", got)
	}
	if got := r.Noise["cpu_s_per_100k"]; got != 1 {
		t.Errorf("noise %g", got)
	}
	if r.Medians.Service.CPU != 2.2 || r.Medians.Relay.CPU != 1 || r.Medians.Service.PerSecond != 1 {
		t.Errorf("medians %+v", r.Medians)
	}
	if r.Least.CPU != 2 || r.Most.CPU != 6 {
		t.Errorf("from %g to %g", r.Least.CPU, r.Most.CPU)
	}
	if got, ok := r.Ratio["calls_per_1000"]; ok {
		t.Errorf("a ratio to nothing is %g", got)
	}
	even := Comparison{Service: cpu(1, 4)}
	if even.sum(); even.Medians.Service.CPU != 2.5 {
		t.Errorf("the median of two is %g", even.Medians.Service.CPU)
	}
}

// TestComparisonAsJSON has all that scripts read.
func TestComparisonAsJSON(t *testing.T) {
	t.Parallel()
	asJSON := func(r *Comparison) (members map[string]any) {
		t.Helper()
		r.sum()
		text, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(text, &members)
		}
		if err != nil {
			t.Fatal(err)
		}
		delete(members, "case")
		return members
	}
	figures := func(perSecond, calls float64) map[string]any {
		all := map[string]any{"events": 0.}
		for _, f := range All {
			all[f.Key] = 0.
		}
		all["events_per_second"] = perSecond
		if delete(all, "fill"); calls == 0 {
			delete(all, "calls_per_1000")
		} else {
			all["calls_per_1000"] = calls
		}
		return all
	}
	runs := Comparison{
		Relay:   []Figures{{PerSecond: 64}, {PerSecond: 64}},
		Service: []Figures{{PerSecond: 16, Calls: 10}, {PerSecond: 32, Calls: 10}},
		Control: []Figures{{PerSecond: 20, Calls: 10}, {PerSecond: 24, Calls: 20}},
	}
	alone := Comparison{Service: runs.Service}
	want := map[string]any{
		"relay":   []any{figures(64, 0), figures(64, 0)},
		"service": []any{figures(16, 10), figures(32, 10)},
		"control": []any{figures(20, 10), figures(24, 20)},
		"medians": map[string]any{"relay": figures(64, 0), "service": figures(24, 10), "control": figures(22, 15)},
		"least":   figures(16, 10),
		"most":    figures(32, 10),
		"ratio":   map[string]any{"events_per_second": 0.375},
		"noise":   map[string]any{"events_per_second": 1., "calls_per_1000": 1.5}, // 1.25 and 0.75; 1 and 2
	}
	if diff := cmp.Diff(want, asJSON(&runs)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, what := range []string{"relay", "control", "ratio", "noise"} {
		delete(want, what)
	}
	want["medians"] = map[string]any{"service": figures(24, 10)}
	if diff := cmp.Diff(want, asJSON(&alone)); diff != "" {
		t.Errorf("the service alone (-want +got):\n%s", diff)
	}
}

func TestKeysOfFigures(t *testing.T) {
	t.Parallel()
	for _, figure := range All {
		var f Figures
		*figure.Of(&f) = 7
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]float64
		if err := json.Unmarshal(text, &got); err != nil || got[figure.Key] != 7 {
			t.Errorf("%s is not %q of %s: %v", figure.Name, figure.Key, text, err)
		}
	}
}

func TestLoadIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	c := Drain()
	for _, b := range Bars() {
		if b.Case.Name == "hot keys, backlog" {
			c = b.Case
		}
	}
	one, other := newProducer(c.Load), newProducer(c.Load)
	people := map[string]bool{}
	for range c.Load.Events {
		a, b := one.event(), other.event()
		if string(a.Data) != string(b.Data) || a.Subject != b.Subject {
			t.Fatalf("%s, then %s", a.Data, b.Data)
		}
		people[string(a.Data)] = true
	}
	if n := len(people); n < 8200 || n > 8600 { // 4.2 calls for 1,000 events at least
		t.Errorf("%d people in %d events", n, c.Load.Events)
	}
}
