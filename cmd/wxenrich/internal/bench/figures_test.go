package bench

import "testing"

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
	f := figure("CPU s per 100,000")
	if got := r.Ratio(f); got != 2 {
		t.Errorf("ratio %g", got)
	}
	if got := r.Noise(f); got != 1 {
		t.Errorf("noise %g", got)
	}
	if r.Medians.Service.CPU != 2.2 || r.Medians.Relay.CPU != 1 || r.Medians.Service.PerSecond != 1 {
		t.Errorf("medians %+v", r.Medians)
	}
	if least, most := Spread(r.Service, f); least != 2 || most != 6 {
		t.Errorf("from %g to %g", least, most)
	}
	if got := r.Ratio(figure("calls per 1,000")); got != 0 {
		t.Errorf("a ratio to nothing is %g", got)
	}
	even := Comparison{Service: cpu(1, 4)}
	if even.sum(); even.Medians.Service.CPU != 2.5 {
		t.Errorf("the median of two is %g", even.Medians.Service.CPU)
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
