package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// commandOf is the command that lists, resumes and cancels a kind of jobs.
func commandOf(kind job.Kind) string {
	if kind == job.Redrive {
		return "jobs"
	}
	return string(kind)
}

// sizeText is how much there is to do.
func sizeText(j *job.Job) string {
	if j.Kind == job.Backfill && j.Range.To == 0 {
		return "the followers of " + j.AppID
	}
	return grouped(uint64(j.Progress.Total)) + " messages"
}

// resultText is what a job has done.
func resultText(j *job.Job) string {
	if j.Spec.DryRun {
		if j.Crawl == nil || j.Crawl.Calls == 0 {
			return "nothing was counted"
		}
		return grouped(uint64(j.Crawl.Followers)) + " followers counted"
	}
	p := j.Progress
	about, atLeast := "", ""
	gone := int64(0)
	if j.Range.To > 0 {
		gone = p.Uncounted()
	}
	if j.TakenOver > 0 {
		switch atLeast = "at least "; {
		case gone > 0:
			about = atLeast
		case j.State != job.Done:
			about = "about " // what the one before had in hand may be counted twice, until the end
		}
	}
	left := "left out"
	if j.Kind == job.Backfill {
		left = "of people who are erased" // it makes events only of whom it is to answer
	}
	parts := []string{about + grouped(uint64(p.Records)) + " records"}
	if j.Spec.SinceCrawl != "" && j.Crawl != nil {
		parts = append(parts, fmt.Sprintf("%s came, %s left", grouped(uint64(j.Crawl.Joined)), grouped(uint64(j.Crawl.Left))))
	}
	for _, c := range []struct {
		n    int64
		what string
	}{{p.Dead, "dead letters"}, {p.Skipped, left}, {p.Repeats, "answered before"}} {
		if c.n > 0 {
			parts = append(parts, grouped(uint64(c.n))+" "+c.what)
		}
	}
	switch {
	case gone > 0 && j.TakenOver > 0:
		parts = append(parts, grouped(uint64(gone))+" gone, or answered by a replica that died before it counted them")
	case gone > 0:
		parts = append(parts, grouped(uint64(gone))+" gone before they were read")
	}
	return strings.Join(append(parts, atLeast+grouped(uint64(p.Calls))+" API calls", age(new(p.Active.Seconds()))), ", ")
}

// Of a progress bar, in columns: it takes what the numbers beside it leave, and
// is not there where that is too little.
const (
	barLeast, barMost = 8, 24
	besideBar         = 54
)

// progressText is one line about a job that goes on.
func progressText(j *job.Job, perSecond float64, screen term.Screen) string {
	text := strings.TrimPrefix(doneText(j, perSecond)+waitText(j), "; ")
	if !screen.TTY {
		return j.ID + ": " + text
	}
	bar := ""
	if room := min(screen.Width-besideBar, barMost); room >= barLeast {
		full := int(share(j) * float64(room))
		bar = "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "] "
	}
	return bar + text
}

// share is how much of a job is behind it, up to 1.
func share(j *job.Job) float64 {
	if j.Progress.Total == 0 {
		return 0
	}
	return float64(j.Progress.Done) / float64(j.Progress.Total)
}

// doneText is how far a job is, and how fast.
func doneText(j *job.Job, perSecond float64) string {
	p := j.Progress
	if p.Total == 0 {
		return "" // not known yet, or a dry run
	}
	s := fmt.Sprintf("%d%%, %s of %s", int(100*share(j)), grouped(uint64(p.Done)), grouped(uint64(p.Total)))
	if perSecond >= 0.5 {
		s += fmt.Sprintf(", %s/s, %s left", grouped(uint64(perSecond+0.5)), age(new(float64(p.Total-p.Done)/perSecond)))
	}
	return s
}

// waitText is why it waits, if it does.
func waitText(j *job.Job) string {
	switch {
	case j.Note != "":
		return "; " + term.Clean(j.Note)
	case j.Holder == "" && j.Waiting():
		return "; waits for a replica"
	}
	return ""
}

// inTheWay is which of the jobs keep the replicas from beginning one, which each
// of them does as long as it is at another of the account's; empty if none does.
func inTheWay(j *job.Job, jobs []job.Job) string {
	if j.Holder != "" || !j.Waiting() || j.Spec.DryRun {
		return ""
	}
	var busy []string
	for _, o := range jobs {
		if o.ID == j.ID || o.AppID != j.AppID || o.Lane != j.Lane || o.Holder == "" || o.Spec.DryRun {
			continue
		}
		if o.Note != "" {
			o.ID += " (" + term.Clean(o.Note) + ")"
		}
		busy = append(busy, o.ID)
	}
	if len(busy) == 0 {
		return ""
	}
	return "waits until a replica is free: each does one job of an account at a time, now " + strings.Join(busy, ", ")
}

// speed is how fast a job goes, over its latest reports.
type speed struct {
	at   time.Time
	done int64
	rate float64
}

func (s *speed) of(now time.Time, done int64) float64 {
	switch span := now.Sub(s.at).Seconds(); {
	case s.at.IsZero():
		s.at, s.done = now, done
	case done != s.done && span > 0:
		rate := float64(done-s.done) / span
		if s.rate > 0 {
			rate = (rate + 2*s.rate) / 3
		}
		s.at, s.done, s.rate = now, done, rate
	case span > 10:
		s.rate = 0
	}
	return s.rate
}
