package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// followFlags is how a command sees a job through.
type followFlags struct {
	detach bool
	json   bool
	silent bool // the command has more to say at the end than the job
}

// checkRate refuses what is no rate; NaN and Inf are numbers to the flags.
func checkRate(perSecond float64) error {
	if perSecond >= 0 && !math.IsInf(perSecond, 0) {
		return nil
	}
	return usage("--rate %g: want 0 or more", perSecond)
}

func (f *followFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.detach, "detach", false, "do not wait for its end")
	c.Flags().BoolVar(&f.json, "json", false, "print what came of it as JSON")
}

// begin writes a job down and sees it through. One that asks for the same and
// is not finished goes on instead, unless there is to be a new one.
func (o *office) begin(ctx context.Context, a *app, j job.Job, anew bool, f followFlags) error {
	for _, old := range o.board.Jobs(j.AppID) {
		if anew || old.Over() || old.Kind != j.Kind || old.Lane != j.Lane || !old.Spec.Equal(j.Spec) || old.Range.Stream != j.Range.Stream {
			continue
		}
		a.say("going on with %s, which asks for the same; --new begins another", old.ID)
		return o.resume(ctx, a, old, f)
	}
	if err := o.board.AddJob(ctx, j); err != nil {
		return err
	}
	return o.follow(ctx, a, j, f)
}

// resume lets a job go on and sees it through.
func (o *office) resume(ctx context.Context, a *app, j job.Job, f followFlags) error {
	now, err := o.board.ChangeJob(ctx, j.AppID, j.ID, (*job.Job).Resume)
	switch over := errors.Is(err, job.ErrOver); {
	case over && j.Over():
		return nothing("%w", err)
	case over:
		return o.ended(a, &now, f) // since it was looked at
	case err != nil:
		return err
	}
	return o.follow(ctx, a, now, f)
}

const (
	// nobodyAfter is how long a job may wait before somebody is told.
	nobodyAfter = 5 * time.Second
	// answerAfter is how long a dry run may take: a replica gives up by itself if it
	// is refused, but not while its account is on hold.
	answerAfter = time.Minute
)

// follow shows how a job goes until it ends. If ctx ends first the job is
// paused.
func (o *office) follow(ctx context.Context, a *app, j job.Job, f followFlags) error {
	if f.detach {
		if f.json {
			return a.printJSON(&j)
		}
		a.print("%s: %s; \"wxenrich %s show %s\" says how far it is", j.ID, sizeText(&j), commandOf(j.Kind), j.ID)
		return nil
	}
	a.say("%s: %s", j.ID, sizeText(&j))
	woken, stop := o.board.WatchJobs(j.AppID)
	defer stop()
	screen := term.Of(a.err, a.getenv)
	progress := term.NewProgress(screen, time.Now())
	defer progress.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var pace speed
	began := time.Now()
	waiting, told := began, false
	for {
		if now, err := o.board.Job(j.ID); err == nil {
			j = now
		}
		now := time.Now()
		if j.Holder != "" {
			waiting = now
		}
		switch {
		case !j.Waiting() && j.Holder == "":
			progress.Done()
			return o.ended(a, &j, f)
		case j.Spec.DryRun && now.Sub(began) > answerAfter:
			progress.Done()
			return o.unanswered(ctx, a, &j, fmt.Sprintf("WeChat's word did not come within %s", age(new(answerAfter.Seconds()))), f)
		case j.Waiting() && now.Sub(waiting) > nobodyAfter && !told:
			told = true
			progress.Done()
			if j.Spec.DryRun && !o.served(ctx, &j) {
				return o.unanswered(ctx, a, &j, fmt.Sprintf("no replica is there with account %s and durable %s", j.AppID, j.Lane), f)
			}
			if why := inTheWay(&j, o.board.Jobs(j.AppID)); why != "" {
				a.say("%s %s", j.ID, why)
				break
			}
			a.say("no replica has begun it: is \"wxenrich run\" running with account %s and durable %s?", j.AppID, j.Lane)
		default:
			progress.Show(now, "%s", progressText(&j, pace.of(now, j.Progress.Done), screen))
		}
		select {
		case <-ctx.Done():
			progress.Done()
			return o.interrupted(context.WithoutCancel(ctx), &j)
		case <-tick.C:
		case <-woken:
		}
	}
}

// served reports whether a replica pulls for the lane that a job belongs to, as far
// as anybody knows.
func (o *office) served(ctx context.Context, j *job.Job) bool {
	c, err := o.js.Consumer(ctx, j.Range.Stream, j.Lane)
	return err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) || err == nil && c.CachedInfo().NumWaiting > 0
}

// unanswered ends a dry run that nobody answers: the price is by the latest count
// there was.
func (o *office) unanswered(ctx context.Context, a *app, j *job.Job, why string, f followFlags) error {
	now, err := o.board.ChangeJob(ctx, j.AppID, j.ID, func(j *job.Job) error { return j.Cancel(time.Now()) })
	if errors.Is(err, job.ErrOver) {
		return o.ended(a, &now, f) // it was quicker
	}
	if err != nil {
		return err
	}
	return o.priceByCount(a, j, failed("%s", why).hint("\"wxenrich run\" asks, where it runs"), f.json)
}

// interrupted pauses a job because whoever watched it has gone.
func (o *office) interrupted(ctx context.Context, j *job.Job) error {
	change, word := (*job.Job).Pause, "paused"
	if j.Spec.DryRun { // nobody goes on with it
		change, word = func(j *job.Job) error { return j.Cancel(time.Now()) }, "cancelled"
	}
	_, err := o.board.ChangeJob(ctx, j.AppID, j.ID, change)
	if errors.Is(err, job.ErrOver) {
		return nil // it was quicker
	}
	if err != nil {
		return failed("%s goes on, since it could not be %s: %w", j.ID, word, err)
	}
	e := failed("%s is %s", j.ID, word)
	if !j.Spec.DryRun {
		e = e.hint("wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	}
	e.code = exitInterrupted
	return e
}

// ended says what came of a job.
func (o *office) ended(a *app, j *job.Job, f followFlags) error {
	if j.Spec.DryRun && j.State == job.Done && j.Crawl != nil {
		if err := o.printBackfillPrice(a, j, count{j.Crawl.Followers, j.Started, ""}, f.json); err != nil || j.Crawl.Followers > 0 {
			return err
		}
		return nothing("nobody follows %s", j.AppID)
	}
	if j.Spec.DryRun && j.State == job.Failed {
		return o.priceByCount(a, j, failed("%s has failed: %s", j.ID, j.Note), f.json)
	}
	if f.silent {
		a.say("%s is %s: %s", j.ID, j.State, resultText(j))
	} else if f.json {
		if err := a.printJSON(j); err != nil {
			return err
		}
	} else if j.State == job.Done {
		a.print("%s is done: %s", j.ID, resultText(j))
	}
	switch j.State {
	case job.Done:
		switch p := j.Progress; {
		case j.Kind == job.Replay && p.Skipped > 0 && p.Records+p.Dead+p.Repeats == 0:
			return nothing(nothingAsked)
		case j.Kind == job.Backfill && p.Total == 0:
			return nothing("there was nobody to make an event of")
		}
		return nil
	case job.Failed:
		return failed("%s has failed: %s", j.ID, j.Note).hint("once that is mended: wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	case job.Paused:
		return failed("somebody has paused %s", j.ID).hint("wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	}
	return failed("%s is %s", j.ID, j.State)
}
