package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// deadRedriveFlags is what the command line says.
type deadRedriveFlags struct {
	deadFlags
	all, dryRun, each bool
	rate              float64
	maxHops           int
	follow            followFlags
	behind            []job.Job // the account's, as they were when none was found to be in the way
}

func newDeadRedriveCommand(a *app) *cobra.Command {
	var f deadRedriveFlags
	c := &cobra.Command{
		Use:   "redrive [SEQ…]",
		Short: "Have dead letters answered again, once their cause is mended",
		Long: `Has the running replicas answer the events of dead letters again: chosen by
sequence, reason, errcode or age, or all of them with --all. Each is checked anew
with the configuration of today. It keeps its identity, so it is answered once;
its letter is removed when the answer is stored, which is a record or, if it dies
again, a new letter with one hop more. Letters that were cut, or were redriven
--max-hops times, are left as they are, and so is what dies meanwhile.

It is a job: the replicas do it, beside live traffic and below it, inside
quota.bulk_share; "wxenrich jobs" lists, pauses and cancels it. Ctrl-C pauses it;
the same command goes on. --dry-run says what it would take and begins nothing.
Exit code 3 when there is nothing to redrive.`,
		Example: `  wxenrich dead redrive --reason undecodable --dry-run
  wxenrich dead redrive --code 40003 --since 2d --rate 50 --detach
  wxenrich dead redrive 1 3 --dry-run --json`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), a, args) },
	}
	f.register(a, c)
	flags := c.Flags()
	flags.BoolVar(&f.all, "all", false, "all that are there")
	flags.Float64Var(&f.rate, "rate", 0, "letters a second at most; 0 is as many as live traffic leaves room for")
	flags.IntVar(&f.maxHops, "max-hops", 5, "leave letters that were redriven so often already")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what it would take, and begin nothing")
	flags.BoolVar(&f.each, "each", false, "at the end, say what became of each letter; with --json one in a line")
	f.follow.register(c)
	return c
}

func (f *deadRedriveFlags) run(ctx context.Context, a *app, args []string) error {
	if err := checkRate(f.rate); err != nil {
		return err
	}
	switch {
	case f.maxHops < 1:
		return usage("--max-hops %d: want 1 or more", f.maxHops)
	case f.each && f.follow.detach:
		return usage("--each, --detach: want one of them")
	}
	asked := fmt.Sprintf("seqs=%s reasons=%s codes=%v since=%s until=%s all=%t", strings.Join(args, ","), strings.Join(f.reasons, ","), f.codes, f.since, f.until, f.all)
	return a.withJobs(ctx, f.nats, "dead redrive", func(o *office) error {
		account, err := o.account(ctx, f.appid)
		if err != nil {
			return err
		}
		f.appid = account.AppID // a job is one account's
		return f.withDead(ctx, a, "dead redrive", args, func(ctx context.Context, m *morgue) error {
			if chosen := m.sel; !f.all {
				if chosen.AppID = ""; chosen.All() {
					return usage("which letters?").hint("name them by sequence, --reason, --code, --since or --until; --all for all of them")
				}
			}
			if j, ok, err := f.unfinished(o, account, asked); err != nil || ok && !f.dryRun {
				if err == nil {
					a.say("going on with %s, which asks for the same", j.ID)
					err = o.resume(ctx, a, j, f.follow)
				}
				return err
			}
			found, err := f.look(ctx, o, m, account)
			if err != nil {
				return err
			}
			if f.dryRun {
				if err := found.print(a, f.follow.json); err != nil {
					return err
				}
			}
			switch {
			case found.Again == 0:
				return nothing("none of the %s letters can be tried again", grouped(found.Letters))
			case f.dryRun:
				return nil
			}
			j, err := f.job(ctx, o, m, account, found)
			if err != nil {
				return err
			}
			j.Spec.Asked = asked
			return f.redrive(ctx, o, m, j, found)
		})
	})
}

// unfinished is a redrive of the account that is not over: the same goes on,
// and beside another none is begun, or a letter might be in two hands.
func (f *deadRedriveFlags) unfinished(o *office, account *config.Account, asked string) (job.Job, bool, error) {
	f.behind = o.board.Jobs(account.AppID)
	for _, j := range f.behind {
		if j.Kind != job.Redrive || j.Over() || j.Lane != account.Resolve().Durable {
			continue
		}
		if j.Spec.Asked == asked {
			return j, true, nil
		}
		if !f.dryRun {
			return j, false, failed("%s is not finished (%s)", j.ID, j.State).hint("wxenrich jobs resume %s", j.ID).hint("or: wxenrich jobs cancel %s", j.ID)
		}
	}
	return job.Job{}, false, nil
}

// redriveFound is what there is to redrive.
type redriveFound struct {
	AppID    string       `json:"appid"`
	Letters  uint64       `json:"letters"`
	Left     uint64       `json:"left"`            // cut, or redriven too often
	Again    uint64       `json:"again"`           // to be tried again
	Dying    uint64       `json:"dying,omitempty"` // of these, those that would die again without a call
	OpenIDs  int          `json:"openids"`
	Calls    int64        `json:"calls"`                  // if nobody is refused
	Worst    int64        `json:"calls_if_refused_again"` // if those are who were, about
	Least    int64        `json:"calls_if_refused_again_least"`
	Most     int64        `json:"calls_if_refused_again_most"`
	Groups   []dead.Group `json:"groups"`
	billJSON              // if those are refused again

	bill        *bill
	first, last *dead.Letter
	again       []dead.Letter // without their bodies
}

// look reads the letters as a redrive would, and asks nobody.
func (f *deadRedriveFlags) look(ctx context.Context, o *office, m *morgue, account *config.Account) (*redriveFound, error) {
	out := &redriveFound{AppID: account.AppID}
	lane, err := laneConfig(m.cfg, account)
	if err != nil {
		return nil, err
	}
	q, _ := o.board.Quota(lane, time.Now())
	best, worst := pipeline.NewRehearsal(lane, f.rate, q.Call), pipeline.NewRehearsals(lane, f.rate, q.Call)
	type lookUp struct{ openid, lang string }
	groups, people, asked := dead.Groups{}, map[string]struct{}{}, map[lookUp]struct{}{}
	decoder := m.decoder(account.AppID)
	_, err = m.read(ctx, true, func(_ dead.Place, l *dead.Letter) bool {
		out.Letters++
		if !l.Redrivable(f.maxHops) {
			out.Left++
			return true
		}
		best.Event()
		worst.Event()
		out.Again++
		groups.Add(l)
		e, err := l.Event(decoder)
		switch {
		case err != nil:
			out.Dying++
		case !strings.EqualFold(e.Type, "unsubscribe"):
			people[e.OpenID] = struct{}{}
			who := lookUp{e.OpenID, cmp.Or(e.Lang, lane.Lang)}
			if _, met := asked[who]; !met {
				asked[who] = struct{}{}
				best.LookUp(e.OpenID, false)
				worst.LookUp(e.OpenID, l.Reason == events.Rejected)
			}
		}
		kept := *l
		kept.Message.Data, kept.Message.Header = nil, nil
		if out.first == nil {
			out.first = &kept
		}
		if out.last = &kept; f.each {
			out.again = append(out.again, kept)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if out.Letters == 0 {
		return nil, m.none()
	}
	out.OpenIDs, out.Groups = len(people), groups.List()
	out.Calls = best.End().Calls
	p := pipeline.Price{Messages: int64(out.Again), BatchSize: lane.BatchSize, Calls: out.Calls, Expected: worst.End()}
	out.Worst, out.Least, out.Most = p.Expected.Calls, p.Expected.Least, p.Expected.Most
	out.bill = o.bill(lane, p, f.rate, false)
	out.billJSON = out.bill.json()
	return out, nil
}

// print says what a redrive would take.
func (r *redriveFound) print(a *app, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	screen := term.Of(a.out, a.getenv)
	if len(r.Groups) > 0 {
		if err := printGroups(screen, r.Groups, time.Now()); err != nil {
			return err
		}
	}
	return screen.Pairs(append([][2]string{
		{"would redrive", grouped(r.Again) + " dead letters"},
		{"left as they are", orNothing(int64(r.Left))},
		{"die again at once", orNothing(int64(r.Dying))},
		{"openids", orNothing(int64(r.OpenIDs))},
		{"API calls", callsAgainText(&r.bill.price)},
	}, r.bill.rows()...))
}

// callsAgainText is how many calls a redrive takes if nobody is refused any more,
// and if those are who were.
func callsAgainText(p *pipeline.Price) string {
	text := callsText(&pipeline.Price{Calls: p.Calls, Expected: pipeline.Outlook{Calls: p.Calls}})
	if p.Expected.Calls != p.Calls {
		text += "; " + aboutText(p) + ", if all who were refused are again"
	}
	return text
}

// job is what the replicas are to do.
func (f *deadRedriveFlags) job(ctx context.Context, o *office, m *morgue, account *config.Account, found *redriveFound) (job.Job, error) {
	p := m.places[0]
	stream, err := o.js.Stream(ctx, p.Stream)
	if err != nil {
		return job.Job{}, err
	}
	info := stream.CachedInfo()
	if info.Config.DenyDelete {
		return job.Job{}, failed("stream %s denies the removal of messages, so a letter would stay beside its answer", p.Stream).
			hint("publish the events again instead: \"wxenrich dead export\" has them")
	}
	j := newJob(job.Redrive, account, time.Now())
	j.ID = pipeline.NextJobID(j.Kind, j.AppID, j.Created, f.behind)
	j.Range = job.Range{Stream: p.Stream, Born: info.Created, Subjects: p.Subjects, From: found.first.Seq, To: found.last.Seq}
	j.Spec = job.Spec{Rate: f.rate, Letters: &job.Letters{Selection: m.sel, MaxHops: f.maxHops, Oldest: found.first.Stored}}
	total, err := pipeline.CountRange(ctx, o.js, j.Range)
	j.Progress.Total = int64(total)
	return j, err
}

// redrive sees the job through, and says what became of the letters.
func (f *deadRedriveFlags) redrive(ctx context.Context, o *office, m *morgue, j job.Job, found *redriveFound) error {
	follow := f.follow
	follow.silent = f.each
	switch err := o.begin(ctx, m.app, j, true, follow); {
	case errors.Is(err, pipeline.ErrJobThere):
		return failed("another command has begun %s in this very moment", j.ID).hint("wxenrich jobs show %s", j.ID)
	case err != nil || !f.each:
		return err
	}
	places := []dead.Place{{Stream: j.Range.Stream, Subjects: []string{subjectFilter(o.cfg.Dead.Subject, "{appid}", j.AppID)}}}
	for _, output := range slices.Backward(o.cfg.Outputs) { // the last place that holds an answer is named
		places = append(places, dead.Place{Stream: expandAppID(output.Stream, j.AppID), Subjects: []string{subjectFilter(output.Subject, "{appid}", j.AppID)}})
	}
	outcomes, err := dead.Outcomes(ctx, o.js, places, found.first.Stored, found.again)
	if err != nil {
		return err
	}
	if f.follow.json {
		for i := range outcomes {
			if err := m.app.printJSON(&outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, 0, len(outcomes))
	for _, x := range outcomes {
		where := unknownCell
		if x.Seq != 0 {
			where = fmt.Sprintf("%s %d", x.Stream, x.Seq)
		}
		rows = append(rows, []string{fmt.Sprint(x.Letter), x.EventID, strings.ReplaceAll(x.Result, "_", " "), where, strings.TrimSpace(string(x.Reason) + " " + x.Code)})
	}
	return term.Of(m.app.out, m.app.getenv).Table([]string{"letter", "event", "became", "where", "why"}, slices.Clip(rows), "event")
}
