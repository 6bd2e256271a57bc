package status

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/pipeline"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) // in Beijing

func TestPhase(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for name, c := range map[string]struct {
		d    Durable
		want Phase
	}{
		"waits for events":           {Durable{Pulls: 1}, Idle},
		"has waited since long":      {Durable{Pulls: 1, Active: ago(time.Hour)}, Idle},
		"takes what waits":           {Durable{Pulls: 1, Lag: 7}, Running},
		"works":                      {Durable{Pulls: 1, InHand: 7, Active: ago(time.Second)}, Running},
		"has all it can hold":        {Durable{InHand: 7, Lag: 9, Active: ago(59 * time.Second)}, Running},
		"nothing comes of it":        {Durable{InHand: 7, Lag: 9, Active: ago(61 * time.Second)}, Stalled},
		"nor where somebody pulls":   {Durable{InHand: 7, Pulls: 1, Active: ago(61 * time.Second)}, Stalled},
		"the server has restarted":   {Durable{InHand: 7}, Stalled},
		"and somebody is back":       {Durable{InHand: 7, Pulls: 1}, Running},
		"nobody asks for what waits": {Durable{Lag: 7}, Unattended},
		"nobody is there at all":     {Durable{}, Unattended},
	} {
		c.d.at = noon
		if got := c.d.phase(30 * time.Second); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for _, p := range []Phase{Running, Idle, Held, Paused, Stalled, Unattended, NoDurable, NoStream} {
		if _, hint := hints[p]; hint == (p.Well() || p == Held) {
			t.Errorf("%s: has a hint: %v; a hold brings its own", p, hint)
		}
	}
}

func TestForecast(t *testing.T) {
	t.Parallel()
	beijing := time.FixedZone("CST", 8*60*60)
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, beijing)
	n := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		now  time.Time
		know pipeline.Quota
		want Quota
	}{
		"lasts": {noon, pipeline.Quota{Limit: 1000, Used: 400, Unit: "call"}, Quota{Limit: 1000, Used: 400, Left: n(600), Unit: "call", Expected: n(800)}},
		"does not": {noon, pipeline.Quota{Limit: 1000, Used: 750, Unit: "openid"}, Quota{Limit: 1000, Used: 750, Left: n(250), Unit: "openid",
			Expected: n(1500), RunsOut: time.Date(2026, 11, 23, 16, 0, 0, 0, beijing)}},
		"overdrawn":       {noon, pipeline.Quota{Limit: 1000, Used: 2000}, Quota{Limit: 1000, Used: 2000, Left: n(0), Expected: n(4000), RunsOut: time.Date(2026, 11, 23, 6, 0, 0, 0, beijing)}},
		"without limit":   {noon, pipeline.Quota{Used: 750}, Quota{Used: 750, Expected: n(1500)}},
		"early":           {midnight.Add(-24*time.Hour + 14*time.Minute), pipeline.Quota{Limit: 1000, Used: 750}, Quota{Limit: 1000, Used: 750, Left: n(250)}},
		"nothing is used": {noon, pipeline.Quota{Limit: 1000}, Quota{Limit: 1000, Left: n(1000), Expected: n(0)}},
	} {
		c.want.Reset = midnight
		if d := cmp.Diff(c.want, forecast(c.now, c.know)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	at := func(seconds int, created time.Time, settled int64) *Durable {
		return &Durable{created: created, at: noon.Add(time.Duration(seconds) * time.Second), settled: settled}
	}
	report := func(d *Durable) *Report {
		return &Report{Accounts: []Account{{AppID: "other"}, {AppID: "wx", Durable: d}}}
	}
	for name, c := range map[string]struct {
		before, now *Durable
		want        float64 // negative: unknown
	}{
		"runs":                  {at(0, noon, 100), at(2, noon, 500), 200},
		"rests":                 {at(0, noon, 100), at(2, noon, 100), 0},
		"a new durable":         {at(0, noon, 100), at(2, noon.Add(time.Second), 500), -1},
		"begun anew":            {at(0, noon, 100), at(2, noon, 50), -1},
		"no durable before":     {nil, at(2, noon, 50), -1},
		"no durable":            {at(0, noon, 100), nil, -1},
		"the same answer again": {at(0, noon, 100), at(0, noon, 100), -1},
	} {
		r := report(c.now)
		r.Rates(report(c.before))
		var got *float64
		if d := r.Accounts[1].Durable; d != nil {
			got = d.Rate
		}
		if c.want < 0 && got != nil || c.want >= 0 && (got == nil || *got != c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestExpiring(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		age, maxAge time.Duration
		want        bool
	}{
		"young":    {14 * time.Hour, 30 * time.Hour, false},
		"old":      {16 * time.Hour, 30 * time.Hour, true},
		"for ever": {16 * time.Hour, 0, false},
	} {
		d := Durable{at: noon}
		d.dated(noon.Add(-c.age), c.maxAge)
		if d.Expiring() != c.want || *d.OldestAge != c.age.Seconds() || d.Expires.IsZero() != (c.maxAge == 0) {
			t.Errorf("%s: %v, %+v", name, d.Expiring(), d)
		}
	}
	var none Durable
	if none.dated(time.Time{}, time.Hour); none.OldestAge != nil || none.Expiring() {
		t.Errorf("no event: %+v", none)
	}
}
