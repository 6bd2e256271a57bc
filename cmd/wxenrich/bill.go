package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/pipeline"
)

// A bill is what a price is in terms of time and the day's quota: of a replay, a
// backfill or a redrive.
type bill struct {
	lane   pipeline.Config
	price  pipeline.Price
	atMost bool // it may be less: nobody knows whose answers are there already
	quota  pipeline.Quota
	takes  time.Duration
	goesOn time.Time // after today's share of the quota is spent; zero if it suffices
	now    time.Time
	hold   *pipeline.Hold
}

// billJSON is a bill for scripts.
type billJSON struct {
	Cost    int64     `json:"quota_cost"` // of the calls that are expected
	Unit    string    `json:"quota_unit"`
	Limit   int64     `json:"quota_limit,omitempty"` // of today, if anybody has said it
	Days    int64     `json:"days,omitempty"`
	Seconds float64   `json:"seconds"`
	AtMost  bool      `json:"at_most,omitempty"`            // calls, cost, days and seconds may be fewer
	Waits   bool      `json:"waits_for_midnight,omitempty"` // bulk work has spent its share of today
	GoesOn  time.Time `json:"goes_on,omitzero"`             // after a stand, as today's share is spent or will be by this

	Hold *pipeline.Hold `json:"hold,omitempty"` // it waits for the end of this
}

// bill makes out what is known of the account's quota now.
func (o *office) bill(lane pipeline.Config, p pipeline.Price, rate float64, atMost bool) *bill {
	now := time.Now()
	q, known := o.board.Quota(lane, now)
	if !known {
		q = pipeline.Quota{Unit: "unknown"}
	}
	return &bill{lane: lane, price: p, atMost: atMost, quota: q, takes: p.Takes(rate), goesOn: p.GoesOn(lane, q, now), now: now, hold: o.held(lane.AppID)}
}

func (b *bill) json() billJSON {
	p, q := b.price, b.quota
	return billJSON{
		Cost: p.Cost(q), Unit: q.Unit, Limit: q.Limit, Days: p.Days(b.lane, q), Seconds: b.takes.Seconds(), AtMost: b.atMost,
		Waits: p.Waits(b.lane, q), GoesOn: b.goesOn, Hold: b.hold,
	}
}

func (b *bill) rows() [][2]string {
	days, waits := b.price.Days(b.lane, b.quota), b.price.Waits(b.lane, b.quota)
	return [][2]string{
		{"quota", b.bound(quotaText(b.lane, b.price, b.quota))},
		{"time", b.bound(takesText(b.takes, days, waits, b.stands()))},
		{"on hold", holdUntilText(b.hold)},
	}
}

// bound says of a text that the number it begins with is a bound, if it is one.
func (b *bill) bound(text string) string {
	if b.atMost && text != "" && (unicode.IsDigit(rune(text[0])) || strings.HasPrefix(text, "about ")) {
		return "at most " + text
	}
	return text
}

// stands is for how long it is until the work goes on that does not come to its end
// today; 0 if it does.
func (b *bill) stands() time.Duration {
	if b.goesOn.IsZero() {
		return 0
	}
	return b.goesOn.Sub(b.now)
}

// takesText is how long it takes, about: days, if only its share of the quota says
// so; and when it goes on, if today's share of that is spent or will be.
func takesText(d time.Duration, days int64, waits bool, goesOn time.Duration) string {
	text := "about " + age(new(d.Seconds()))
	switch {
	case days > 1:
		text = fmt.Sprintf("%d days, for its share of the quota", days)
	case d < time.Second:
		text = "less than a second"
	}
	text += ", if live traffic leaves room"
	midnight := "midnight in Beijing, in " + age(new(goesOn.Seconds()))
	switch {
	case waits:
		text += "; it waits for " + midnight + ", for bulk work has spent its share of today's quota"
	case goesOn > 0:
		text += "; it spends what is left of today's share, and goes on at " + midnight
	}
	return text
}

// quotaText says what a price is in terms of the day's quota; empty if it costs
// nothing.
func quotaText(lane pipeline.Config, p pipeline.Price, q pipeline.Quota) string {
	if p.Calls == 0 {
		return ""
	}
	if q.Limit == 0 {
		return "nobody has said yet what a day has; bulk work may spend " + config.Share(lane.BulkShare).String() + " of it"
	}
	unit := q.Unit
	if unit == "unknown" {
		unit = "openid, as long as it is not known whether WeChat counts calls"
	}
	part := fmt.Sprintf("%.1f%%", 100*float64(p.Cost(q))/float64(q.Limit))
	if part == "0.0%" {
		part = "less than 0.1%"
	}
	text := fmt.Sprintf("%s of a day's %s, counted by the %s", part, grouped(uint64(q.Limit)), unit)
	switch days := p.Days(lane, q); {
	case days > 1:
		return text + fmt.Sprintf("; %d days, at %s of each", days, config.Share(lane.BulkShare))
	case days == 0:
		return text + "; quota.bulk_share, " + config.Share(lane.BulkShare).String() + ", leaves nothing of it: it would never begin"
	}
	return text
}
