package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// priceJSON is a price for scripts. Keys are added, never renamed.
type priceJSON struct {
	AppID    string  `json:"appid"`
	Stream   string  `json:"stream"`
	FromSeq  uint64  `json:"from_seq"`
	ToSeq    uint64  `json:"to_seq"`
	Messages int64   `json:"messages"`
	Skipped  int64   `json:"skipped"`
	Free     int64   `json:"without_a_call"`
	OpenIDs  int64   `json:"openids"`
	LookUps  int64   `json:"look_ups"`
	Calls    int64   `json:"calls"` // if nobody is refused
	Refused  int64   `json:"refused_before"`
	New      int64   `json:"never_answered"`
	Share    float64 `json:"refused_share"`  // of the account's people, and so of those never answered
	Expected int64   `json:"expected_calls"` // if they are refused again
	Cost     int64   `json:"quota_cost"`     // of these
	Unit     string  `json:"quota_unit"`
	Limit    int64   `json:"quota_limit,omitempty"` // of today, if anybody has said it
	Days     int64   `json:"days,omitempty"`
	Seconds  float64 `json:"seconds"`
	Waits    bool    `json:"waits_for_midnight,omitempty"` // bulk work has spent its share of today

	Hold *pipeline.Hold `json:"hold,omitempty"` // it waits for the end of this
}

// price says what a replay would take.
func (f *replayFlags) price(ctx context.Context, a *app, o *office, account *config.Account, j *job.Job) error {
	lane, err := laneConfig(o.cfg, account)
	if err != nil {
		return err
	}
	progress := term.NewProgress(term.Of(a.err, a.getenv), time.Now())
	p, err := pipeline.PriceReplay(ctx, o.js, o.board, lane, j, int64(o.cfg.Recent.Memory), func(done, _ uint64) {
		progress.Show(time.Now(), "reading %s: %s of %s", j.Range.Stream, grouped(done), grouped(uint64(j.Progress.Total)))
	})
	progress.Done()
	if err != nil {
		return err
	}
	q, known := o.board.Quota(lane, time.Now())
	if !known {
		q = pipeline.Quota{Unit: "unknown"}
	}
	takes := p.Takes(lane, j.Spec.Rate)
	if f.follow.json {
		if err := a.printJSON(priceJSON{
			AppID: account.AppID, Stream: j.Range.Stream, FromSeq: j.Range.From, ToSeq: j.Range.To,
			Messages: p.Messages, Skipped: p.Skipped, Free: p.Free, OpenIDs: p.OpenIDs, LookUps: p.LookUps, Calls: p.Calls,
			Refused: p.Refused, New: p.New, Share: p.Share, Expected: p.Expected, Cost: p.Cost(q), Unit: q.Unit, Limit: q.Limit, Days: p.Days(lane, q), Seconds: takes.Seconds(), Waits: p.Waits(lane, q),
			Hold: o.held(account.AppID),
		}); err != nil {
			return err
		}
		return anythingOf(p)
	}
	pairs := [][2]string{
		{"range", fmt.Sprintf("%s, sequences %d to %d", j.Range.Stream, j.Range.From, j.Range.To)},
		{"messages", grouped(uint64(p.Messages))},
		{"left out", orNothing(p.Skipped)},
		{"without a call", orNothing(p.Free)},
		{"openids", orNothing(p.OpenIDs)},
		{"refused before", refusedText(p)},
		{"never answered", newText(p)},
		{"API calls", callsText(p.Calls, p.Expected, j.Spec.MaxAge)},
		{"quota", quotaText(lane, p, q)},
		{"time", takesText(takes, p.Days(lane, q), p.Waits(lane, q))},
		{"on hold", holdUntilText(o.held(account.AppID))},
	}
	if err := term.Of(a.out, a.getenv).Pairs(pairs); err != nil {
		return err
	}
	return anythingOf(p)
}

// nothingAsked is what is said of a replay that leaves out all of its range.
const nothingAsked = "nothing in the range is what was asked for"

// anythingOf is an error if a replay would leave out all of its range.
func anythingOf(p pipeline.Price) error {
	if p.Skipped == p.Messages {
		return nothing(nothingAsked)
	}
	return nil
}

func orNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return grouped(uint64(n))
}

// refusedText is how many of the openids WeChat has refused already.
func refusedText(p pipeline.Price) string {
	if p.Refused == 0 {
		return ""
	}
	return grouped(uint64(p.Refused)) + " of these, by their dead letters"
}

// newText is of how many openids nobody can know that.
func newText(p pipeline.Price) string {
	if p.New == 0 || p.Share == 0 {
		return ""
	}
	return fmt.Sprintf("%s of these; as many are taken to be refused as of the others, %.2g%%", grouped(uint64(p.New)), 100*p.Share)
}

// callsText is how many calls something takes if nobody is refused, and if those
// are who are expected to be; at most so many, if answers that the service has
// looked up so short a time ago serve too: the price knows of none of these.
func callsText(n, expected int64, maxAge time.Duration) string {
	if n == 0 {
		return "none"
	}
	text := grouped(uint64(n)) + ", if none fails and no openid is refused"
	if expected != n {
		text = "about " + grouped(uint64(expected)) + ", if none fails; " + grouped(uint64(n)) + " if no openid is refused"
	}
	if maxAge > 0 {
		return "at most " + text
	}
	return text
}

// takesText is how long it takes, about: days, if only its share of the quota
// says so; from midnight on, if nothing of that is left today.
func takesText(d time.Duration, days int64, waits bool) string {
	const room = ", if live traffic leaves room"
	if waits {
		return takesText(d, days, false) + "; it waits for midnight in Beijing, for bulk work has spent its share of today's quota"
	}
	if days > 1 {
		return fmt.Sprintf("%d days, for its share of the quota%s", days, room)
	}
	if d < time.Second {
		return "less than a second" + room
	}
	return "about " + age(new(d.Seconds())) + room
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
