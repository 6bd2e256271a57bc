package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// exampleJob stands for a job's id in examples.
const exampleJob = "-260131-k7x2p"

func newJobsCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "jobs",
		Short: "List, pause, resume and cancel bulk work",
		Long: `Jobs are bulk work, such as a replay: written down in the state bucket and done
by the running replicas, one job of an account at a time in each, beside live
traffic and below it.`,
	}
	group(c)
	c.AddCommand(jobCommands(a, "")...)
	return c
}

// jobCommands are what can be done with jobs of a kind; of all kinds if it is
// empty.
func jobCommands(a *app, kind job.Kind) []*cobra.Command {
	return []*cobra.Command{
		newJobListCommand(a, kind), newJobShowCommand(a, kind), newJobPauseCommand(a, kind),
		newJobResumeCommand(a, kind), newJobCancelCommand(a, kind),
	}
}

// jobWords are how a kind of jobs is called in help texts.
func jobWords(kind job.Kind) (command, one, example string) {
	if kind == "" {
		return "jobs", "job", string(job.Replay) + exampleJob
	}
	return string(kind), string(kind), string(kind) + exampleJob
}

func newJobListCommand(a *app, kind job.Kind) *cobra.Command {
	command, one, _ := jobWords(kind)
	var appid string
	var asJSON, all bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List " + one + "s, the oldest first",
		Long:    "List " + one + "s with how far they are. What is over stays listed for 30 days, with --all.\nExit code 0 also when there are none.",
		Example: "  wxenrich " + command + " list\n  wxenrich " + command + " list --all --json",
		Args:    arguments(cobra.NoArgs),
	}
	flags := natsFlags(c)
	a.appidFlag(c, &appid, "only this account")
	c.Flags().BoolVar(&asJSON, "json", false, "print each as JSON, one in a line")
	c.Flags().BoolVar(&all, "all", false, "also those that are over")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withJobs(c.Context(), flags, command+" list", func(o *office) error {
			var jobs []job.Job
			for _, j := range o.board.Jobs(appid) {
				if (kind == "" || j.Kind == kind) && (all || !j.Over()) {
					jobs = append(jobs, j)
				}
			}
			return a.listJobs(jobs, asJSON)
		})
	}
	return c
}

func (a *app) listJobs(jobs []job.Job, asJSON bool) error {
	if asJSON {
		for i := range jobs {
			if err := a.printJSON(&jobs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	for _, j := range jobs {
		p := j.Progress
		done := unknownCell
		if p.Total > 0 {
			done = fmt.Sprintf("%d%%", int(100*share(&j)))
		}
		state, note := string(j.State), j.Note
		behind, of, calls := grouped(uint64(p.Done)), grouped(uint64(p.Total)), grouped(uint64(p.Calls))
		if j.Spec.DryRun {
			state, note = "dry run, "+state, cmp.Or(note, resultText(&j))
			behind, of, calls = unknownCell, unknownCell, unknownCell
		}
		rows = append(rows, []string{
			j.ID, j.AppID, state, done, behind, of, calls,
			age(new(time.Since(j.Created).Seconds())), cmp.Or(rateText(&j.Spec), unknownCell), cmp.Or(onlyText(&j.Spec), unknownCell), j.By, note,
		})
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.err, "there are none")
		return nil
	}
	return term.Of(a.out, a.getenv).Table([]string{"job", "account", "state", "done", "messages", "of", "calls", "age", "rate", "only", "by", "note"}, rows,
		"by", "only", "calls", "rate", "of", "messages", "account", "age")
}

// newJobCommand is a command about one job.
func newJobCommand(a *app, kind job.Kind, name, short, long, options string, setup func(*cobra.Command), do func(context.Context, *office, job.Job) error) *cobra.Command {
	command, one, example := jobWords(kind)
	over := ""
	if name != "show" {
		over = ", or it is over"
	}
	c := &cobra.Command{
		Use:     name + " ID",
		Short:   fmt.Sprintf(short, one),
		Long:    long + "\nExit code 3 when there is no such " + one + over + ".",
		Example: "  wxenrich " + strings.TrimRight(strings.Join([]string{command, name, example, options}, " "), " "),
		Args:    arguments(cobra.ExactArgs(1)),
	}
	flags := natsFlags(c)
	if setup != nil {
		setup(c)
	}
	complete := a.completeJobs(flags, func(j *job.Job) bool {
		return (kind == "" || j.Kind == kind) && (name == "show" || !j.Over()) // nothing else is done about those that are
	})
	c.ValidArgsFunction = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(c, args, begun)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withJobs(c.Context(), flags, command+" "+name, func(o *office) error {
			j, err := o.jobOf(args[0], kind)
			if err != nil {
				return err
			}
			return do(c.Context(), o, j)
		})
	}
	return c
}

func newJobShowCommand(a *app, kind job.Kind) *cobra.Command {
	var asJSON bool
	return newJobCommand(a, kind, "show", "Show a %s", "Shows what was asked for, how far it is, and why it waits if it does.", "", func(c *cobra.Command) {
		c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	}, func(_ context.Context, o *office, j job.Job) error {
		if asJSON {
			return a.printJSON(&j)
		}
		return a.showJob(&j, cmp.Or(j.Note, inTheWay(&j, o.board.Jobs(j.AppID))))
	})
}

func (a *app) showJob(j *job.Job, why string) error {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format(time.RFC3339)
	}
	return term.Of(a.out, a.getenv).Pairs([][2]string{
		{"id", j.ID},
		{"account", j.AppID},
		{"state", string(j.State)},
		{"why", why},
		{"replica", replicaText(j)},
		{"taken over", takenOverText(j)},
		{"range", rangeText(j)},
		{"subjects", strings.Join(j.Range.Subjects, " ")},
		{"asked for", askedText(&j.Spec)},
		{"only", onlyText(&j.Spec)},
		{"rate", rateText(&j.Spec)},
		{"answers", makesText(&j.Spec)},
		{"done", doneText(j, 0)},
		{"so far", resultText(j)},
		{"asked by", j.By},
		{"at", stamp(j.Created)},
		{"begun", stamp(j.Started)},
		{"ended", stamp(j.Ended)},
	})
}

// replicaText is who does a job.
func replicaText(j *job.Job) string {
	if j.Holder == "" && j.Waiting() {
		return "none yet"
	}
	return j.Holder
}

// takenOverText is how often replicas that did a job have died; empty if none.
func takenOverText(j *job.Job) string {
	switch j.TakenOver {
	case 0:
		return ""
	case 1:
		return "once, from a replica that fell silent"
	}
	return fmt.Sprintf("%d times, from replicas that fell silent", j.TakenOver)
}

// rangeText is what a job reads; empty while that is not known.
func rangeText(j *job.Job) string {
	if j.Range.To == 0 {
		return ""
	}
	return fmt.Sprintf("%s, sequences %d to %d", j.Range.Stream, j.Range.From, j.Range.To)
}

func newJobPauseCommand(a *app, kind job.Kind) *cobra.Command {
	var asJSON bool
	return newJobCommand(a, kind, "pause", "Pause a %s", "The replica that does it finishes what is in flight and lets go of it. Resume goes on.", "", func(c *cobra.Command) {
		c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON, as it then is")
	}, func(ctx context.Context, o *office, j job.Job) error {
		return o.change(ctx, a, j, asJSON, (*job.Job).Pause)
	})
}

func newJobResumeCommand(a *app, kind job.Kind) *cobra.Command {
	var f followFlags
	return newJobCommand(a, kind, "resume", "Go on with a %s that was paused or has failed",
		"Goes on where it was, and waits for the end unless --detach is given. Ctrl-C pauses it again.", "--detach",
		f.register, func(ctx context.Context, o *office, j job.Job) error { return o.resume(ctx, a, j, f) })
}

func newJobCancelCommand(a *app, kind job.Kind) *cobra.Command {
	var asJSON bool
	return newJobCommand(a, kind, "cancel", "Cancel a %s", "Ends it for good. The answers that it has given stay.", "", func(c *cobra.Command) {
		c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON, as it then is")
	}, func(ctx context.Context, o *office, j job.Job) error {
		return o.change(ctx, a, j, asJSON, func(j *job.Job) error { return j.Cancel(time.Now()) })
	})
}

// change changes a job and says so. Whoever does it lets go by itself.
func (o *office) change(ctx context.Context, a *app, j job.Job, asJSON bool, change func(*job.Job) error) error {
	j, err := o.board.ChangeJob(ctx, j.AppID, j.ID, change)
	if errors.Is(err, job.ErrOver) {
		return nothing("%w", err)
	}
	if err != nil {
		return err
	}
	if j.Over() && j.Holder == "" {
		pipeline.ForgetJob(ctx, o.js, o.board, &j)
	}
	if asJSON {
		return a.printJSON(&j)
	}
	a.print("%s is %s: %s", j.ID, j.State, resultText(&j))
	return nil
}
