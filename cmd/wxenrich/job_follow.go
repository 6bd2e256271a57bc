package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// followFlags is how a command sees a job through.
type followFlags struct {
	detach bool
	json   bool
	silent bool // the command has more to say at the end than the job
}

func (f *followFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.detach, "detach", false, "do not wait for its end")
	c.Flags().BoolVar(&f.json, "json", false, "print what came of it as JSON")
}

// withJobs connects a command to the state bucket and the streams.
func (a *app) withJobs(ctx context.Context, flags *natsconn.Settings, name string, do func(*office) error) error {
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	if cfg.State.Bucket == "" {
		return usage("state.bucket is empty: replicas can be reached through it only")
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	nc, js, err := a.dialStreams(ctx, flags, cfg, name)
	if err != nil {
		return err
	}
	defer nc.Close()
	board, err := openBoard(ctx, js, cfg, log)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return failed("there is no bucket %s at this server", cfg.State.Bucket).
			hint("\"wxenrich run\" makes it when it starts; --server, --context or NATS_URL name another server")
	}
	if err != nil {
		return nc.Explain(err)
	}
	defer board.Close()
	return nc.Explain(do(&office{cfg: cfg, js: js, board: board}))
}

// begin writes a job down and sees it through. One that asks for the same and
// is not finished goes on instead, unless there is to be a new one.
func (o *office) begin(ctx context.Context, a *app, j job.Job, anew bool, f followFlags) error {
	for _, old := range o.board.Jobs(j.AppID) {
		if anew || old.Over() || old.Kind != j.Kind || old.Lane != j.Lane || !old.Spec.Equal(j.Spec) || old.Range.Stream != j.Range.Stream {
			continue
		}
		fmt.Fprintf(a.err, "going on with %s, which asks for the same; --new begins another\n", old.ID)
		return o.resume(ctx, a, old, f)
	}
	if err := o.board.AddJob(ctx, j); err != nil {
		return err
	}
	return o.follow(ctx, a, j, f)
}

// resume lets a job go on and sees it through.
func (o *office) resume(ctx context.Context, a *app, j job.Job, f followFlags) error {
	j, err := o.board.ChangeJob(ctx, j.AppID, j.ID, (*job.Job).Resume)
	if errors.Is(err, job.ErrOver) {
		return nothing("%w", err)
	}
	if err != nil {
		return err
	}
	return o.follow(ctx, a, j, f)
}

// nobodyAfter is how long a job may wait before somebody is told.
const nobodyAfter = 5 * time.Second

// follow shows how a job goes until it ends. If ctx ends first the job is
// paused.
func (o *office) follow(ctx context.Context, a *app, j job.Job, f followFlags) error {
	if f.detach {
		if f.json {
			return a.printJSON(&j)
		}
		fmt.Fprintf(a.out, "%s: %s; \"wxenrich %s show %s\" says how far it is\n", j.ID, sizeText(&j), commandOf(j.Kind), j.ID)
		return nil
	}
	fmt.Fprintf(a.err, "%s: %s\n", j.ID, sizeText(&j))
	woken, stop := o.board.WatchJobs(j.AppID)
	defer stop()
	screen := term.Of(a.err, a.getenv)
	progress := term.NewProgress(screen, time.Now())
	defer progress.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var pace speed
	waiting, told := time.Now(), false
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
		case j.Waiting() && now.Sub(waiting) > nobodyAfter && !told:
			told = true
			progress.Done()
			fmt.Fprintf(a.err, "no replica has begun it: is \"wxenrich run\" running with account %s and durable %s?\n", j.AppID, j.Lane)
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

// commandOf is the command that lists, resumes and cancels a kind of jobs.
func commandOf(kind job.Kind) string {
	if kind == job.Redrive {
		return "jobs"
	}
	return string(kind)
}

// interrupted pauses a job because whoever watched it has gone.
func (o *office) interrupted(ctx context.Context, j *job.Job) error {
	_, err := o.board.ChangeJob(ctx, j.AppID, j.ID, (*job.Job).Pause)
	if errors.Is(err, job.ErrOver) {
		return nil // it was quicker
	}
	if err != nil {
		return failed("%s goes on, since it could not be paused: %w", j.ID, err)
	}
	e := failed("%s is paused", j.ID).hint("wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	e.code = exitInterrupted
	return e
}

// ended says what came of a job.
func (o *office) ended(a *app, j *job.Job, f followFlags) error {
	if j.State == job.Done && j.Spec.DryRun && j.Crawl != nil {
		return o.printBackfillPrice(a, j, f.json)
	}
	if f.silent {
		fmt.Fprintf(a.err, "%s is %s: %s\n", j.ID, j.State, resultText(j))
	} else if f.json {
		if err := a.printJSON(j); err != nil {
			return err
		}
	} else if j.State == job.Done {
		fmt.Fprintf(a.out, "%s is done: %s\n", j.ID, resultText(j))
	}
	switch j.State {
	case job.Done:
		if p := j.Progress; j.Kind == job.Replay && p.Skipped > 0 && p.Records+p.Dead+p.Repeats == 0 {
			return nothing("nothing in the range is what was asked for")
		}
		return nil
	case job.Failed:
		return failed("%s has failed: %s", j.ID, j.Note).hint("once that is mended: wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	case job.Paused:
		return failed("somebody has paused %s", j.ID).hint("wxenrich %s resume %s", commandOf(j.Kind), j.ID)
	}
	return failed("%s is %s", j.ID, j.State)
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
	p := j.Progress
	parts := []string{grouped(uint64(p.Records)) + " records"}
	if j.Spec.SinceCrawl != "" && j.Crawl != nil {
		parts = append(parts, fmt.Sprintf("%s came, %s left", grouped(uint64(j.Crawl.Joined)), grouped(uint64(j.Crawl.Left))))
	}
	for _, c := range []struct {
		n    int64
		what string
	}{{p.Dead, "dead letters"}, {p.Skipped, "left out"}, {p.Repeats, "answered before"}} {
		if c.n > 0 {
			parts = append(parts, grouped(uint64(c.n))+" "+c.what)
		}
	}
	return strings.Join(append(parts, grouped(uint64(p.Calls))+" API calls", age(new(p.Active.Seconds()))), ", ")
}

// Of a progress bar, in columns: it takes what the numbers beside it leave, and
// is not there where that is too little.
const (
	barLeast, barMost = 8, 24
	besideBar         = 54
)

// progressText is one line about a job that goes on.
func progressText(j *job.Job, perSecond float64, screen term.Screen) string {
	if !screen.TTY {
		return j.ID + ": " + doneText(j, perSecond) + waitText(j)
	}
	bar := ""
	if room := min(screen.Width-besideBar, barMost); room >= barLeast {
		full := int(share(j) * float64(room))
		bar = "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "] "
	}
	return bar + doneText(j, perSecond) + waitText(j)
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

// jobOf finds a job by its id, of a kind if it is not empty.
func (o *office) jobOf(id string, kind job.Kind) (job.Job, error) {
	j, err := o.board.Job(id)
	if err == nil && kind != "" && j.Kind != kind {
		return j, usage("%s is a %s", id, j.Kind).hint("wxenrich jobs")
	}
	if errors.Is(err, pipeline.ErrNoJob) {
		return j, nothing("there is no job %s", id).hint("\"wxenrich jobs list\" names them")
	}
	return j, err
}

// completeJobs offers the ids of jobs.
func (a *app) completeJobs(flags *natsconn.Settings, kind job.Kind) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		_ = a.withJobs(c.Context(), flags, "completion", func(o *office) error {
			for _, j := range o.board.Jobs("") {
				if (kind == "" || j.Kind == kind) && !j.Over() {
					ids = append(ids, j.ID+"\t"+string(j.State))
				}
			}
			return nil
		})
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
