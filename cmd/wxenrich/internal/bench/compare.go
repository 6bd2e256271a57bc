package bench

import (
	"context"
	"fmt"
)

// Comparison is the runs of a case, the relay's and the service's in turns.
type Comparison struct {
	Case    Case      `json:"case"`
	Relay   []Figures `json:"relay"`
	Service []Figures `json:"service"`
	Control []Figures `json:"control,omitempty"` // the service again: how far they are apart is noise

	Medians struct {
		Relay   Figures `json:"relay"`
		Service Figures `json:"service"`
		Control Figures `json:"control,omitzero"`
	} `json:"medians"`
}

// Options says how to compare.
type Options struct {
	Runs    int
	Relay   bool
	Control bool
	Profile Profiles     // of the service's first run
	Say     func(string) // what is done now
}

// Compare measures a case.
func (p Program) Compare(ctx context.Context, c Case, o Options) (*Comparison, error) {
	r := &Comparison{Case: c}
	type turn struct {
		who   string
		relay bool
		runs  *[]Figures
	}
	var turns []turn
	if o.Relay {
		turns = append(turns, turn{"relay", true, &r.Relay})
	}
	turns = append(turns, turn{"service", false, &r.Service})
	if o.Control {
		turns = append(turns, turn{"service again", false, &r.Control})
	}
	for i := range o.Runs {
		for _, t := range turns {
			var profiles Profiles
			if i == 0 && t.runs == &r.Service {
				profiles = o.Profile
			}
			o.Say(fmt.Sprintf("%s: run %d of %d, %s", c.Name, i+1, o.Runs, t.who))
			f, err := p.Run(ctx, &c, t.relay, profiles)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.Name, t.who, err)
			}
			*t.runs = append(*t.runs, f)
		}
	}
	r.sum()
	return r, nil
}

func (r *Comparison) sum() {
	r.Medians.Relay, r.Medians.Service, r.Medians.Control = median(r.Relay), median(r.Service), median(r.Control)
}

// Add adds further runs of a case.
func (all Results) Add(r *Comparison) {
	sum := all[r.Case.Name]
	if sum == nil {
		all[r.Case.Name] = r
		return
	}
	sum.Relay, sum.Service, sum.Control = append(sum.Relay, r.Relay...), append(sum.Service, r.Service...), append(sum.Control, r.Control...)
	sum.sum()
}

// Ratio is the median of the quotients of the service's figure and the relay's
// of the same round: neighbours in time have the same noise.
func (r *Comparison) Ratio(figure Figure) float64 { return ratio(r.Service, r.Relay, figure) }

// Noise is the same of the service and itself.
func (r *Comparison) Noise(figure Figure) float64 { return ratio(r.Control, r.Service, figure) }

// ratio is 0 if there is none.
func ratio(of, to []Figures, figure Figure) float64 {
	var quotients []Figures
	for i := range min(len(of), len(to)) {
		var q Figures
		if d := *figure.Of(&to[i]); d > 0 {
			*figure.Of(&q) = *figure.Of(&of[i]) / d
			quotients = append(quotients, q)
		}
	}
	if len(quotients) == 0 {
		return 0
	}
	mid, _, _ := spread(quotients, figure)
	return mid
}
