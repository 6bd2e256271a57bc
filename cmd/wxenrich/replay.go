package main

import (
	"context"
	"fmt"
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

// replayFlags is what the command line of a replay says.
type replayFlags struct {
	nats           *natsconn.Settings
	appid          string
	since, until   string
	fromSeq, toSeq uint64
	types          []string
	openids, ids   []string
	subjects       []string
	from           string
	output, format string
	maxAge         string
	rate           float64
	dryRun, anew   bool
	follow         followFlags
}

func newReplayCommand(a *app) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay",
		Short: "Answer a range of the input again, as a generation of its own",
		Long: `Replay has the running replicas look up the events of a range again and publish
a record for each, as new messages: they carry the replay's id in Wx-Replay and
at the end of Nats-Msg-Id. WeChat knows only how people stand today.

With --from records it reads stored records instead of events and encodes them
anew, without any call: for another subject, another format, a newer schema. They
say what they said; sequences and times are then those of the output stream, and
records of replays are left out.

The range is fixed when the replay begins, so it ends. It is a job: the replicas
do it, beside live traffic and below it, inside quota.bulk_share; this machine
needs neither the AppSecret nor an address that WeChat knows. The live durable is
left alone. --dry-run says what it would take and begins nothing.

Ctrl-C pauses it. The same command again, or "wxenrich replay resume ID", goes on
where it was; so does a replica after a crash, and nothing is answered twice.
Exit code 3 when there is no event in the range, or none that is asked for.`,
		Example: `  wxenrich replay --since yesterday --until today --dry-run
  wxenrich replay --since 2h --detach
  wxenrich replay --from records --since 2d --format json --detach \
    --output-subject wx.json.{appid}
  wxenrich replay --from-seq 1 --to-seq 10 --type subscribe --rate 50 --detach`,
	}
	group(c)
	words := c.Args
	c.Args = func(c *cobra.Command, args []string) error { return words(c, args) }
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), a) }
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "the account (default the only one configured)")
	flags := c.Flags()
	flags.StringVar(&f.since, "since", "", "events stored since: 10m, 2d, yesterday or 2026-01-31T08:00:00+08:00")
	flags.StringVar(&f.until, "until", "", "events stored before, in the same forms (default now)")
	flags.Uint64Var(&f.fromSeq, "from-seq", 0, "first sequence of the input stream, instead of a time")
	flags.Uint64Var(&f.toSeq, "to-seq", 0, "last sequence of the input stream")
	flags.StringSliceVar(&f.types, "type", nil, "only events of this type; may be repeated")
	flags.StringSliceVar(&f.openids, "openid", nil, "only events about this person; may be repeated")
	flags.StringSliceVar(&f.ids, "id", nil, "only the event with this id; may be repeated")
	flags.StringSliceVar(&f.subjects, "subject", nil, "subject of the account's events, instead of input.subject; may be repeated")
	flags.StringVar(&f.from, "from", "events", "what to read: events, or records, which takes no call")
	flags.StringVar(&f.format, "format", "", "json or msgpack, instead of output.format")
	flags.StringVar(&f.output, "output-subject", "", "subject of the records: one of the outputs alone, or another")
	flags.StringVar(&f.maxAge, "max-age", "", "what was looked up so short a time ago, live or by another job, serves too; for example 1h")
	flags.Float64Var(&f.rate, "rate", 0, "events a second at most; 0 is as many as live traffic leaves room for")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what it would take, and begin nothing")
	flags.BoolVar(&f.anew, "new", false, "begin a new one, even if the same one is not finished")
	f.follow.register(c)
	register(c, "from", "events", "records")
	register(c, "type", "subscribe", "unsubscribe", "SCAN", pipeline.BackfillType)
	register(c, "format", "json", "msgpack")
	c.AddCommand(jobCommands(a, job.Replay)...)
	return c
}

func (f *replayFlags) run(ctx context.Context, a *app) error {
	return a.withJobs(ctx, f.nats, "replay", func(o *office) error {
		account, err := o.account(ctx, f.appid)
		if err != nil {
			return err
		}
		j, err := f.job(ctx, o, account, time.Now())
		if err != nil {
			return err
		}
		if f.dryRun {
			return f.price(ctx, a, o, account, &j)
		}
		return o.begin(ctx, a, j, f.anew, f.follow)
	})
}

// job is what the flags ask for.
func (f *replayFlags) job(ctx context.Context, o *office, account *config.Account, now time.Time) (job.Job, error) {
	var j job.Job
	if f.since == "" && f.until == "" && f.fromSeq == 0 && f.toSeq == 0 {
		return j, usage("which events? name a range by --since and --until, or by --from-seq and --to-seq").
			hint("--from-seq 1 is all that the stream holds")
	}
	if (f.since != "" || f.until != "") && (f.fromSeq != 0 || f.toSeq != 0) {
		return j, usage("want a range of times (--since, --until) or of sequences (--from-seq, --to-seq), not both")
	}
	if err := checkRate(f.rate); err != nil {
		return j, err
	}
	if f.from != "events" && f.from != "records" {
		return j, usage("--from %q: want events or records", f.from)
	}
	if f.format != "" && f.format != "json" && f.format != "msgpack" {
		return j, usage("--format %q: want json or msgpack", f.format)
	}
	in := account.Resolve()
	j = newJob(job.Replay, account, now)
	j.Spec = job.Spec{Types: f.types, OpenIDs: f.openids, IDs: f.ids, Output: f.output, Format: f.format, Rate: f.rate, Records: f.from == "records"}
	j.Spec.Asked = fmt.Sprintf("since=%s until=%s from=%d to=%d subjects=%s", f.since, f.until, f.fromSeq, f.toSeq, strings.Join(f.subjects, ","))
	if f.maxAge != "" {
		var age config.Duration
		if err := age.UnmarshalText([]byte(f.maxAge)); err != nil {
			return j, usage("--max-age: %w", err)
		}
		if age.Std() < 0 {
			return j, usage("--max-age %s: want 0 or more", f.maxAge)
		}
		j.Spec.MaxAge = age.Std()
	}
	if err := o.checkOutput(ctx, account, f.output); err != nil {
		return j, err
	}
	name := in.Stream
	subjects, err := f.filter(account, in.Subjects)
	if j.Spec.Records {
		if len(f.subjects) > 0 {
			return j, usage("--subject is for events: records are read from output.subject")
		}
		records := o.cfg.Outputs[0]
		name, subjects = expandAppID(records.Stream, account.AppID), []string{subjectFilter(records.Subject, "{appid}", account.AppID)}
	}
	if err != nil {
		return j, err
	}
	j.Range, err = f.span(ctx, o, name, now)
	if err != nil {
		return j, err
	}
	j.Range.Subjects = subjects
	total, err := pipeline.CountRange(ctx, o.js, j.Range)
	if err == nil && total == 0 {
		return j, nothing("there is no event in the range")
	}
	j.Progress.Total = int64(total)
	return j, err
}

// filter is the subjects that are replayed: events of this account only, for
// nobody else's openid means anything in it.
func (f *replayFlags) filter(account *config.Account, usual []string) ([]string, error) {
	if len(f.subjects) == 0 {
		return usual, nil
	}
	var all []string
	for _, s := range account.Input.Subject {
		t, err := events.ParseTemplate(s, "appid")
		if err != nil {
			return nil, usage("input.subject: %w", err)
		}
		all = append(all, t.StreamSubjects(true, account.AppID)...)
	}
	slices.Sort(all)
	all = slices.Compact(all) // they may differ in the type alone
	for _, s := range f.subjects {
		if !slices.ContainsFunc(all, func(own string) bool {
			prefix, wild := strings.CutSuffix(own, ">")
			return s == own || wild && strings.HasPrefix(s, prefix)
		}) {
			return nil, usage("--subject %s is not of account %s: want one of %s", s, account.AppID, strings.Join(all, ", "))
		}
	}
	return f.subjects, nil
}

// span fixes the range.
func (f *replayFlags) span(ctx context.Context, o *office, name string, now time.Time) (job.Range, error) {
	r := job.Range{Stream: name, From: max(1, f.fromSeq), To: f.toSeq}
	stream, err := o.js.Stream(ctx, name)
	if err != nil {
		return r, missingStream(err, "stream "+name+" does not exist", name, nil)
	}
	info := stream.CachedInfo()
	r.Born = info.Created
	last := info.State.LastSeq
	if r.To == 0 || r.To > last {
		r.To = last
	}
	since, fault := instant("--since", f.since, now)
	if fault != nil {
		return r, fault
	}
	until, fault := instant("--until", f.until, now)
	if fault != nil {
		return r, fault
	}
	if !since.IsZero() {
		if r.From, err = pipeline.FirstSince(ctx, o.js, name, since); err != nil {
			return r, err
		}
	}
	if !until.IsZero() {
		first, err := pipeline.FirstSince(ctx, o.js, name, until)
		if err != nil {
			return r, err
		}
		r.To = min(r.To, first-min(1, first))
	}
	r.From = max(r.From, info.State.FirstSeq)
	if f.toSeq != 0 && f.toSeq < f.fromSeq || !until.IsZero() && until.Before(since) {
		return r, usage("the range ends before it begins")
	}
	return r, nil
}
