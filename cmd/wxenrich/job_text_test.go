package main

import (
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

func TestJobInTheWay(t *testing.T) {
	t.Parallel()
	one := func(id string, change func(*job.Job)) job.Job {
		j := job.Job{ID: id, AppID: testAppID, Lane: "live", State: job.Running, Holder: "replica-1"}
		if change != nil {
			change(&j)
		}
		return j
	}
	mine := one("replay-2", func(j *job.Job) { j.State, j.Holder = job.Pending, "" })
	for name, c := range map[string]struct {
		other job.Job
		want  string
	}{
		"one that waits for quota": {one("replay-1", func(j *job.Job) { j.Note = "its share is spent" }), "replay-1 (its share is spent)"},
		"one that goes on":         {one("replay-1", nil), "now replay-1"},
		"itself":                   {mine, ""},
		"another account's":        {one("replay-1", func(j *job.Job) { j.AppID = "other" }), ""},
		"another lane's":           {one("replay-1", func(j *job.Job) { j.Lane = "other" }), ""},
		"a dry run":                {one("replay-1", func(j *job.Job) { j.Spec.DryRun = true }), ""},
		"one that waits too":       {one("replay-1", func(j *job.Job) { j.State, j.Holder = job.Pending, "" }), ""},
	} {
		if got := inTheWay(&mine, []job.Job{mine, c.other}); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
	dry := one("backfill-1", func(j *job.Job) { j.State, j.Holder, j.Spec.DryRun = job.Pending, "", true })
	if got := inTheWay(&dry, []job.Job{one("replay-1", nil)}); got != "" {
		t.Errorf("nothing is in the way of a dry run: %q", got)
	}
}

func TestResultOfAJobWhoseReplicaDied(t *testing.T) {
	t.Parallel()
	j := job.Job{Range: job.Range{From: 1, To: 629}, Progress: job.Progress{Total: 629, Done: 629, Records: 519, Dead: 10, Calls: 6}}
	if got := resultText(&j); !strings.HasPrefix(got, "519 records") || !strings.Contains(got, "100 gone before they were read, 6 API calls") {
		t.Errorf("nobody died: %s", got)
	}
	j.TakenOver = 1
	if got := resultText(&j); !strings.Contains(got, "at least 519 records") || !strings.Contains(got, "100 gone, or answered by a replica that died") || !strings.Contains(got, "at least 6 API calls") {
		t.Error(got)
	}
	j.TakenOver, j.Progress.Records = 0, 619
	if got := resultText(&j); strings.Contains(got, "at least") || strings.Contains(got, "died") {
		t.Error(got)
	}
	j.TakenOver, j.State = 1, job.Running
	if got := resultText(&j); !strings.HasPrefix(got, "about 619 records") {
		t.Error(got)
	}
	j.State = job.Done
	if got := resultText(&j); !strings.HasPrefix(got, "619 records") || !strings.Contains(got, "at least 6 API calls") {
		t.Error(got)
	}
}

func TestPriceIsABound(t *testing.T) {
	t.Parallel()
	same, more := pipeline.Price{Calls: 7, Expected: pipeline.Outlook{Calls: 7, Least: 7, Most: 7}}, pipeline.Price{Calls: 7, Expected: pipeline.Outlook{Calls: 61, Least: 61, Most: 61}}
	for atMost, want := range map[bool]string{false: "7, if", true: "at most 7, if"} {
		b := &bill{atMost: atMost}
		if got := b.bound(callsText(&same)); !strings.HasPrefix(got, want) || !strings.Contains(got, "no openid is refused") {
			t.Errorf("at most %t: %s", atMost, got)
		}
		if got := b.json().AtMost; got != atMost {
			t.Errorf("at most %t, as JSON %t", atMost, got)
		}
	}
	atMost := &bill{atMost: true}
	for text, want := range map[string]string{
		"none": "none", "": "", "less than a second, if": "less than a second, if",
		"3 days, for its share": "at most 3 days, for its share", "about 5s, if": "at most about 5s, if", "0.9% of a day's": "at most 0.9% of a day's",
	} {
		if got := atMost.bound(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := callsText(&more); got != "about 61, if none fails; 7 if no openid is refused" {
		t.Error(got)
	}
	if got := atMost.bound(callsText(&more)); !strings.HasPrefix(got, "at most about 61") {
		t.Error(got)
	}
	more.Expected.Least, more.Expected.Most = 40, 80
	if got := callsText(&more); got != "about 61, 40 to 80 as chance has it, if none fails; 7 if no openid is refused" {
		t.Error(got)
	}
	zero := more
	if zero.Expected.Least = 0; !strings.HasPrefix(callsText(&zero), "about 61, up to 80 as chance has it, if") {
		t.Error(callsText(&zero))
	}
	if got := callsAgainText(&more); !strings.Contains(got, "no openid is refused; about 61, 40 to 80 as chance has it, if all who were refused are again") {
		t.Error(got)
	}
}

// A price says that the job will stand until midnight.
func TestTakesText(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		takes  time.Duration
		days   int64
		waits  bool
		goesOn time.Duration
	}{
		"about 5s, if live traffic leaves room": {5 * time.Second, 1, false, 0},
		"about 5s, if live traffic leaves room; it waits for midnight in Beijing, in 3h20m, for bulk work has spent its share of today's quota":                {5 * time.Second, 1, true, 200 * time.Minute},
		"3 days, for its share of the quota, if live traffic leaves room; it spends what is left of today's share, and goes on at midnight in Beijing, in 59s": {time.Hour, 3, false, 59 * time.Second},
	} {
		if got := takesText(c.takes, c.days, c.waits, c.goesOn); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
