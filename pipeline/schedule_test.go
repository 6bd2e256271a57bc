package pipeline

import (
	"testing"
	"time"
)

func TestHoldSchedule(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC) // in Beijing
	midnight := time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name        string
		hold        Hold
		least, most time.Time
	}{
		{"quota, at first", Hold{Reason: HoldDailyQuota}, noon.Add(time.Minute), noon.Add(2 * time.Minute)},
		{"quota, really spent", Hold{Reason: HoldDailyQuota, Probes: 1}, midnight, midnight.Add(10 * time.Minute)},
		{"operator, at first", Hold{Reason: HoldOperator}, noon.Add(time.Minute), noon.Add(2 * time.Minute)},
		{"operator, third time", Hold{Reason: HoldOperator, Probes: 2}, noon.Add(4 * time.Minute), noon.Add(5 * time.Minute)},
		{"operator, for a week", Hold{Reason: HoldOperator, Probes: 1000}, noon.Add(15 * time.Minute), noon.Add(19 * time.Minute)},
		{"permission, for a week", Hold{Reason: HoldOperator, Rest: Hourly, Probes: 1000}, noon.Add(time.Hour), noon.Add(75 * time.Minute)},
		{"address, for a week", Hold{Reason: HoldAddress, Rest: Minutes, Probes: 1000}, noon.Add(5 * time.Minute), noon.Add(7 * time.Minute)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, u := range []float64{0, 0.5, 0.999} {
				h := tc.hold
				h.schedule(noon, func() float64 { return u })
				if h.Until.Before(tc.least) || h.Until.After(tc.most) {
					t.Errorf("with u = %v: %v, want %v to %v", u, h.Until, tc.least, tc.most)
				}
			}
		})
	}
}

func TestFullJitter(t *testing.T) {
	t.Parallel()
	b := newBackOff(100*time.Millisecond, time.Second, func() float64 { return 0.5 })
	for i, want := range []time.Duration{50, 100, 200, 400, 500, 500} {
		if got := b.NextBackOff(); got != want*time.Millisecond {
			t.Errorf("wait %d: %v, want %v", i, got, want*time.Millisecond)
		}
	}
	b.wish = 3 * time.Second
	if got := b.NextBackOff(); got != 3*time.Second {
		t.Errorf("the server's wish is not honoured: %v", got)
	}
	if got := b.NextBackOff(); got != 500*time.Millisecond {
		t.Errorf("the wish outlives its wait: %v", got)
	}
}
