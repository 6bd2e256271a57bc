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
	Least    int64   `json:"expected_calls_least"`
	Most     int64   `json:"expected_calls_most"`
	billJSON
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
	b := o.bill(lane, p, j.Spec.Rate, j.Spec.MaxAge > 0)
	if f.follow.json {
		if err := a.printJSON(priceJSON{
			AppID: account.AppID, Stream: j.Range.Stream, FromSeq: j.Range.From, ToSeq: j.Range.To,
			Messages: p.Messages, Skipped: p.Skipped, Free: p.Free, OpenIDs: p.OpenIDs, LookUps: p.LookUps, Calls: p.Calls,
			Refused: p.Refused, New: p.New, Share: p.Share, Expected: p.Expected.Calls, Least: p.Expected.Least, Most: p.Expected.Most, billJSON: b.json(),
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
		{"API calls", b.bound(callsText(&p))},
	}
	if err := term.Of(a.out, a.getenv).Pairs(append(pairs, b.rows()...)); err != nil {
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
// are who are expected to be.
func callsText(p *pipeline.Price) string {
	if p.Calls == 0 {
		return "none"
	}
	best := grouped(uint64(p.Calls))
	text := best + ", if none fails and no openid is refused"
	if p.Expected.Calls != p.Calls {
		text = aboutText(p) + ", if none fails; " + best + " if no openid is refused"
	}
	return text
}

// aboutText is how many calls are likely, and between which numbers chance lets it
// end.
func aboutText(p *pipeline.Price) string {
	o := p.Expected
	about := "about " + grouped(uint64(o.Calls))
	switch {
	case o.Least == o.Most:
	case o.Least == 0:
		about += ", up to " + grouped(uint64(o.Most)) + " as chance has it"
	default:
		about += ", " + grouped(uint64(o.Least)) + " to " + grouped(uint64(o.Most)) + " as chance has it"
	}
	return about
}
