package bench

import (
	"context"
	"fmt"
)

// Comparison is the runs of a case, the relay's and the service's in turns, and
// what they come to: all that is printed is in it.
type Comparison struct {
	Case    Case      `json:"case"`
	Relay   []Figures `json:"relay,omitempty"`
	Service []Figures `json:"service"`
	Control []Figures `json:"control,omitempty"` // the service again: how far they are apart is noise

	Medians struct {
		Relay   Figures `json:"relay,omitzero"`
		Service Figures `json:"service"`
		Control Figures `json:"control,omitzero"`
	} `json:"medians"`
	Least Figures   `json:"least"` // of the service's runs
	Most  Figures   `json:"most"`
	Ratio Quotients `json:"ratio,omitempty"` // the service's by the relay's
	Noise Quotients `json:"noise,omitempty"` // the control's by the service's: 1 would be none
}

// Quotients are what figures are of others, by the figures' keys. Where there was
// nothing to divide by there is none.
type Quotients map[string]float64

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

// sum works out what the runs come to.
func (r *Comparison) sum() {
	r.Medians.Relay, r.Medians.Control = median(r.Relay), median(r.Control)
	r.Medians.Service, r.Least, r.Most = spreads(r.Service)
	r.Ratio, r.Noise = quotients(r.Service, r.Relay), quotients(r.Control, r.Service)
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

// quotients are, for each figure, the median of the quotients of the same round:
// neighbours in time have the same noise.
func quotients(of, to []Figures) Quotients {
	all := Quotients{}
	for _, figure := range All {
		var rounds []float64
		for i := range min(len(of), len(to)) {
			if d := *figure.Of(&to[i]); d > 0 {
				rounds = append(rounds, *figure.Of(&of[i])/d)
			}
		}
		if len(rounds) > 0 {
			all[figure.Key], _, _ = spread(rounds)
		}
	}
	return all
}
