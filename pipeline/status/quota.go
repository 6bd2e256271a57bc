package status

import (
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// Quota is the day's quota, and whether it will do until midnight in Beijing.
type Quota struct {
	Limit    int64     `json:"limit,omitempty"` // what we may use; absent: nobody has said it
	Used     int64     `json:"used"`            // by us or others
	Left     *int64    `json:"left,omitempty"`
	Unit     string    `json:"unit"`               // what a batch costs: call, openid or unknown
	Reset    time.Time `json:"reset"`              // when the count begins anew
	Expected *int64    `json:"expected,omitempty"` // what will be used by then at the day's mean pace
	RunsOut  time.Time `json:"runs_out,omitzero"`  // when nothing is left at that pace, if it is before the reset
	Fill     *float64  `json:"fill,omitempty"`     // openids in a call of ours in the mean, lately
}

// young is how early in the day its mean pace says nothing.
const young = 15 * time.Minute

// forecast says what the day will have used at its end.
func forecast(now time.Time, q pipeline.Quota) Quota {
	reset := quota.Midnight(now)
	out := Quota{Limit: q.Limit, Used: q.Used, Unit: q.Unit, Reset: reset}
	if q.Fill > 0 {
		out.Fill = &q.Fill
	}
	if q.Limit > 0 {
		left := max(0, q.Limit-q.Used)
		out.Left = &left
	}
	began := reset.Add(-24 * time.Hour) // Beijing has no daylight saving time
	passed := now.Sub(began)
	if passed < young {
		return out
	}
	pace := float64(q.Used) / passed.Seconds()
	expected := int64(pace * (24 * time.Hour).Seconds())
	out.Expected = &expected
	if q.Limit > 0 && expected > q.Limit {
		out.RunsOut = began.Add(time.Duration(float64(q.Limit) / pace * float64(time.Second))).Round(time.Second)
	}
	return out
}
