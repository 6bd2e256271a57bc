package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// backfillFlags is what the command line of a backfill says.
type backfillFlags struct {
	nats         *natsconn.Settings
	appid        string
	missing      bool
	sinceCrawl   string
	rate         float64
	dryRun, anew bool
	follow       followFlags
}

func newBackfillCommand(a *app) *cobra.Command {
	var f backfillFlags
	c := &cobra.Command{
		Use:   "backfill",
		Short: "Make an event of every follower, and answer it",
		Long: `Backfill has a running replica list the account's followers by user/get, write
the list down in the stream WX_CRAWLS (crawls.stream), make an event of each on
the subject wx.events.<appid>.backfill, and answer these beside live traffic and
below it, inside quota.bulk_share. Records are like those of other events.

WeChat's list is not of one moment and says nothing of when people came. Each
list is kept for 30 days: --since-crawl compares a new one with it, and makes
events only of those who came or left since, with or without an event.

Ctrl-C pauses it. The same command again, or "wxenrich backfill resume ID", goes
on where it was; so does a replica after a crash, with no page lost and nobody
answered twice. Exit code 3 when there is nobody to make an event of.

--dry-run has WeChat say how many follow, by one call. It does not wait for an
account on hold, unless only the day's calls are spent. Where no replica runs, or
WeChat cannot be asked now, or does not say, the price is that of the latest count
there was, and says so; exit code 1 where there was none.`,
		Example: `  wxenrich backfill --missing --detach
  wxenrich backfill --appid wx0123456789abcdef --rate 50 --new --detach`,
	}
	group(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), a) }
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "the account (default the only one configured)")
	flags := c.Flags()
	flags.BoolVar(&f.missing, "missing", false, "only followers of whom the output holds no record")
	flags.StringVar(&f.sinceCrawl, "since-crawl", "", "only who came or left since an earlier backfill: its id, or last")
	flags.Float64Var(&f.rate, "rate", 0, "events a second to answer at most; 0 is as many as live traffic leaves room for")
	flags.BoolVar(&f.dryRun, "dry-run", false, "have one call of user/get made, and say what it would take")
	flags.BoolVar(&f.anew, "new", false, "begin a new one, even if the same one is not finished")
	f.follow.register(c)
	crawls := a.completeJobs(f.nats, func(j *job.Job) bool { return listedAll(j) && (f.appid == "" || j.AppID == f.appid) })
	if err := c.RegisterFlagCompletionFunc("since-crawl", func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		ids, directive := crawls(c, args, begun)
		return append([]string{"last"}, ids...), directive
	}); err != nil {
		panic(err)
	}
	c.AddCommand(jobCommands(a, job.Backfill)...)
	return c
}

func (f *backfillFlags) run(ctx context.Context, a *app) error {
	if err := checkRate(f.rate); err != nil {
		return err
	}
	if f.dryRun && f.follow.detach {
		return usage("--dry-run waits for WeChat's answer: leave out --detach")
	}
	return a.withJobs(ctx, f.nats, "backfill", func(o *office) error {
		account, err := o.account(ctx, f.appid)
		if err != nil {
			return err
		}
		j := newJob(job.Backfill, account, time.Now())
		j.Spec = job.Spec{Missing: f.missing, Rate: f.rate, DryRun: f.dryRun}
		if j.Spec.SinceCrawl, err = f.crawl(o, account.AppID); err != nil {
			return err
		}
		subject, err := backfillSubject(account)
		if err != nil {
			return err
		}
		j.Range = job.Range{Stream: account.Resolve().Stream, Subjects: []string{subject}}
		if err := o.takes(ctx, j.Range.Stream, subject); err != nil {
			return err
		}
		if held := o.held(account.AppID); f.dryRun && held != nil && held.Reason != pipeline.HoldDailyQuota {
			return o.priceByCount(a, &j, failed("the account is on hold: %s", holdUntilText(held)).hint("%s", held.Hint), f.follow.json)
		}
		return o.begin(ctx, a, j, f.anew || f.dryRun, f.follow)
	})
}

// listedAll reports whether a job is a backfill that has listed all followers.
func listedAll(j *job.Job) bool { return j.Kind == job.Backfill && j.Crawl != nil && j.Crawl.Whole }

// crawl is the earlier backfill to compare with; empty for none.
func (f *backfillFlags) crawl(o *office, appid string) (string, error) {
	if f.sinceCrawl == "" {
		return "", nil
	}
	for _, j := range slices.Backward(o.board.Jobs(appid)) {
		if listedAll(&j) && (f.sinceCrawl == "last" && j.Over() || f.sinceCrawl == j.ID) {
			return j.ID, nil
		}
	}
	return "", nothing("--since-crawl %s: there is no such backfill of %s that has listed all followers", f.sinceCrawl, appid).
		hint("\"wxenrich backfill list --all\" names them")
}

// backfillSubject is where an account's backfill puts its events: beside those
// of other types.
func backfillSubject(account *config.Account) (string, error) {
	for _, s := range account.Input.Subject {
		t, err := events.ParseTemplate(s, "appid")
		if err != nil {
			return "", usage("input.subject: %w", err)
		}
		for _, own := range t.StreamSubjects(true, account.AppID) {
			if prefix, ok := strings.CutSuffix(own, ".>"); ok {
				return prefix + "." + pipeline.BackfillType, nil
			}
		}
	}
	return "", usage("input.subject %s has no {appid}: there is no subject beside it for the events of a backfill", strings.Join(account.Input.Subject, ", "))
}

// takes refuses a subject that a stream does not listen to.
func (o *office) takes(ctx context.Context, name, subject string) error {
	in, err := o.js.StreamNameBySubject(ctx, subject)
	if err == nil && in == name {
		return nil
	}
	if err == nil {
		return failed("%s is stored in %s, not in %s", subject, in, name)
	}
	return missingStream(err, "stream "+name+" does not listen to "+subject, name, []string{subject})
}
