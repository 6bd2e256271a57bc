package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// auditFlags is what the command line says.
type auditFlags struct {
	nats           *natsconn.Settings
	appid          string
	since, until   string
	fromSeq, toSeq uint64
	doubles        bool
	show           int
	verbose        bool
	json           bool
}

func newAuditCommand(a *app) *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check that every event has exactly one answer",
		Long: `Reads the streams, headers only, and accounts for every event that the lanes
listen to: it has its record or its dead letter, or is pending, or nobody can
say any more because a stream has dropped what is old. What is missing or
doubled is named by its place in the input stream and its id. The events of
backfills have a row of their own: they are pending until their job is done.
Where output is a list each event has to have an answer in every output, and
counts once for each.

An input that is a work queue forgets what was acknowledged: only the answers are
counted there, and "missing" is a question mark.

It changes nothing and may run beside the service. An event that is not
acknowledged yet is pending. Exit code 4 when an event is missing or doubled, 3
when there is no event in the range, 1 when it could not be found out.`,
		Example: `  wxenrich audit
  wxenrich audit --appid wx0123456789abcdef --since 2d --json
  wxenrich audit --from-seq 1 --to-seq 1000000 --doubles --show 100`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runAudit(c.Context(), a, f) },
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "only this account (default all that are configured)")
	flags := c.Flags()
	flags.StringVar(&f.since, "since", "", "events stored since: 10m, 2d or 2026-01-31T08:00:00+08:00 (default all)")
	flags.StringVar(&f.until, "until", "", "events stored before, in the same forms (default now)")
	flags.Uint64Var(&f.fromSeq, "from-seq", 0, "first sequence of the input stream, instead of a time")
	flags.Uint64Var(&f.toSeq, "to-seq", 0, "last sequence of the input stream")
	flags.BoolVar(&f.doubles, "doubles", false, "sort repeats by who caused them: producer, replay, redrive, or us")
	flags.IntVar(&f.show, "show", 20, "how many events to name of each kind and account; 0 for none")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "name openids too")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	return c
}

func runAudit(ctx context.Context, a *app, f auditFlags) error {
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	scope, err := f.scope(cfg, time.Now())
	if err != nil {
		return err
	}
	nc, js, err := a.dialStreams(ctx, f.nats, cfg, "audit")
	if err != nil {
		return err
	}
	defer nc.Close()
	board, err := a.boardToLookAt(ctx, js, cfg)
	if err != nil {
		return nc.Explain(err)
	}
	defer board.Close()
	if f.appid != "" {
		if err := checkServed(ctx, js, board, cfg, cfg.Anyone(f.appid)); err != nil {
			return err
		}
	}
	addBackfills(board, &scope)
	progress := term.NewProgress(term.Of(a.err, a.getenv), time.Now())
	scope.Progress = func(stream string, done, total uint64) {
		progress.Show(time.Now(), "reading %s: %s of %s", stream, grouped(done), grouped(total))
	}
	scope.Purged = func(ctx context.Context) ([]audit.Purged, error) { return purgedLetters(ctx, js, cfg) }
	ledger, err := openLedger(ctx, js, cfg)
	if err != nil {
		return nc.Explain(err)
	}
	defer ledger.Close()
	if ledger != nil {
		scope.Erased = ledger.Audited
	}
	if ledger.Some() {
		scope.Forgotten = pipeline.Withheld(ledger)
	}
	report, err := auditOutputs(ctx, js, cfg, scope)
	progress.Done()
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return failed("%w", err).hint("\"wxenrich run\" creates the streams; is the configuration the service's?")
	}
	if err != nil {
		return nc.Explain(err)
	}
	if f.json {
		err = a.printJSON(struct {
			Holds bool `json:"holds"`
			audit.Report
		}{report.Holds(), report})
	} else {
		err = printAudit(term.Of(a.out, a.getenv), &report, f)
	}
	if err != nil {
		return err
	}
	return verdict(&report, &scope)
}

// auditOutputs holds each output to the law: an event has an answer in every one.
func auditOutputs(ctx context.Context, js jetstream.JetStream, cfg *config.Config, s audit.Scope) (audit.Report, error) {
	sum := audit.Report{Findings: []audit.Finding{}, Notes: []string{}}
	lanes := s.Lanes
	for _, o := range cfg.Outputs {
		s.Lanes = slices.Clone(lanes)
		for i := range s.Lanes {
			l := &s.Lanes[i]
			l.Output = expandAppID(o.Stream, l.AppID)
			if l.OutputSubject != "" {
				l.OutputSubject = subjectFilter(o.Subject, "{appid}", l.AppID)
			}
			l.Several = len(cfg.Outputs) > 1
		}
		r, err := audit.Run(ctx, js, s)
		if err != nil {
			return r, err
		}
		sum.Lanes, sum.Findings = append(sum.Lanes, r.Lanes...), append(sum.Findings, r.Findings...)
		sum.Untold, sum.Short = max(sum.Untold, r.Untold), max(sum.Short, r.Short) // the inputs are the same, and so are the dead letters
		for _, n := range r.Notes {
			sum.Notes = add(sum.Notes, n)
		}
	}
	return sum, nil
}

// verdict is the exit code, and what to do.
func verdict(r *audit.Report, scope *audit.Scope) error {
	sum := r.Sum()
	switch {
	case !r.Holds():
		err := failed("the law is broken: %s missing, %s doubled", grouped(sum.Missing), grouped(sum.Doubled))
		if r.Short > 0 {
			err = failed("%w, and %s or more of the unverifiable are missing", err, grouped(r.Short))
		}
		err.code = exitBroken
		if sum.Missing > 0 {
			err = err.hint("a missing event is still in the input: \"wxenrich replay --from-seq SEQ --to-seq SEQ\" answers it, and it counts as replayed then")
		}
		for i := range scope.Lanes {
			l := &scope.Lanes[i]
			if l.Part != "" && slices.ContainsFunc(r.Lanes, func(b audit.Balance) bool { return b.AppID == l.AppID && b.Part == l.Part && b.Missing > 0 }) {
				err = err.hint("one of the account's %ss: add --appid %s --subject %s", l.Part, l.AppID, strings.Join(l.Subjects, ","))
			}
		}
		return err.
			hint("a consumer that is idempotent by Nats-Msg-Id is not harmed by a double")
	case sum.In == 0:
		return nothing("there is no event in the range")
	}
	return nil
}

// scope is the configuration's lanes, in the range of the flags.
func (f auditFlags) scope(cfg *config.Config, now time.Time) (audit.Scope, error) {
	s := audit.Scope{FromSeq: f.fromSeq, ToSeq: f.toSeq, Repeats: f.doubles, Show: f.show, OpenIDs: f.verbose}
	switch {
	case s.Show < 0:
		return s, usage("--show %d: want 0 or more", s.Show)
	case s.Show == 0:
		s.Show = -1
	}
	if (f.since != "" || f.until != "") && (f.fromSeq != 0 || f.toSeq != 0) {
		return s, usage("want a range of times (--since, --until) or of sequences (--from-seq, --to-seq), not both")
	}
	var fault *exitError
	if s.Since, fault = instant("--since", f.since, now); fault != nil {
		return s, fault
	}
	if s.Until, fault = instant("--until", f.until, now); fault != nil {
		return s, fault
	}
	if s.ToSeq != 0 && s.ToSeq < s.FromSeq || !s.Until.IsZero() && s.Until.Before(s.Since) {
		return s, usage("the range ends before it begins")
	}
	appids := cfg.AppIDs()
	if f.appid != "" || len(appids) == 0 {
		account, err := oneAccount(cfg, f.appid)
		if err != nil {
			return s, err
		}
		appids = []string{account.AppID}
	}
	for _, appid := range appids {
		s.Lanes = append(s.Lanes, auditLane(cfg, cfg.Anyone(appid), f.appid != "" && len(cfg.Accounts) > 1))
	}
	if f.fromSeq != 0 || f.toSeq != 0 {
		for _, l := range s.Lanes {
			if l.Stream != s.Lanes[0].Stream {
				return s, usage("--from-seq, --to-seq: the accounts have several input streams").hint("name one account with --appid")
			}
		}
	}
	return s, nil
}

// auditLane is an account's lane; alone says that others share its streams and
// are not looked at.
func auditLane(cfg *config.Config, account *config.Account, alone bool) audit.Lane {
	in := account.Resolve()
	l := audit.Lane{
		AppID: account.AppID, Stream: in.Stream, Subjects: in.Subjects, Durable: in.Durable,
		Output: expandAppID(cfg.Outputs[0].Stream, account.AppID), Dead: expandAppID(cfg.Dead.Stream, account.AppID),
		Fields: account.Input.Fields,
	}
	if alone {
		l.OutputSubject = subjectFilter(cfg.Outputs[0].Subject, "{appid}", account.AppID)
		l.DeadSubject = subjectFilter(cfg.Dead.Subject, "{appid}", account.AppID)
	}
	return l
}

// subjectFilter is a template with what is known in it, by pairs, and a
// wildcard for every other token that varies.
func subjectFilter(template string, pairs ...string) string {
	tokens := strings.Split(strings.NewReplacer(pairs...).Replace(template), ".")
	for i, token := range tokens {
		if strings.Contains(token, "{") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}
