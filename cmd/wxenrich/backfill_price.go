package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// priceByCount says what a backfill would take by what was counted last, since
// nobody can be asked now how many follow; without any count it is that error.
func (o *office) priceByCount(a *app, j *job.Job, why *exitError, asJSON bool) error {
	for _, old := range slices.Backward(o.board.Jobs(j.AppID)) {
		if old.Crawl != nil && old.Crawl.Followers > 0 {
			counted := old.Started
			if counted.IsZero() {
				counted = old.Created
			}
			return o.printBackfillPrice(a, j, count{old.Crawl.Followers, counted, why.Error()}, asJSON)
		}
	}
	why.err = fmt.Errorf("nobody can ask how many follow %s, and no earlier backfill has: %w", j.AppID, why.err)
	return why
}

// A count is how many follow.
type count struct {
	followers int64
	at        time.Time
	estimate  string // why it is an earlier one; empty: it is not
}

// printBackfillPrice says what a backfill would take.
func (o *office) printBackfillPrice(a *app, j *job.Job, n count, asJSON bool) error {
	lane, err := laneConfig(o.cfg, o.cfg.Anyone(j.AppID))
	if err != nil {
		return err
	}
	most := n.followers
	if earlier, err := o.board.Job(j.Spec.SinceCrawl); err == nil && earlier.Crawl != nil {
		most += earlier.Crawl.Listed // who has left is asked for too, and everybody may have
	}
	p := pipeline.Price{Messages: most, OpenIDs: most, LookUps: most, BatchSize: lane.BatchSize}
	q, _ := o.board.Quota(lane, time.Now())
	calls := pipeline.NewRehearsal(lane, j.Spec.Rate, q.Call)
	for range most {
		calls.Event()
		calls.LookUp("", false) // WeChat has named them itself, each once
	}
	p.Expected = calls.End()
	p.Calls = p.Expected.Calls
	pages := (n.followers+9_999)/10_000 + 1
	b := o.bill(lane, p, j.Spec.Rate, j.Spec.Missing || j.Spec.SinceCrawl != "")
	if asJSON {
		return a.printJSON(struct {
			AppID     string    `json:"appid"`
			Followers int64     `json:"followers"`
			Counted   time.Time `json:"counted"`
			Estimate  string    `json:"estimate,omitempty"` // why the count is an earlier one
			Pages     int64     `json:"pages"`
			Calls     int64     `json:"calls"`
			billJSON
		}{j.AppID, n.followers, n.at, n.estimate, pages, p.Calls, b.json()})
	}
	counted := ""
	if since := time.Since(n.at); since > time.Minute {
		counted = ", " + age(new(since.Seconds())) + " ago"
	}
	estimate := ""
	if n.estimate != "" {
		estimate = "by that count, which may have changed since: " + n.estimate
	}
	return term.Of(a.out, a.getenv).Pairs(append([][2]string{
		{"followers", grouped(uint64(n.followers)) + ", by WeChat's count" + counted},
		{"estimate", estimate},
		{"user/get", fmt.Sprintf("%s calls of the 500 a day that it has", grouped(uint64(pages)))},
		{"API calls", b.bound(grouped(uint64(p.Calls)) + ", if none fails")},
	}, b.rows()...))
}
