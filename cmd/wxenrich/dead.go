package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

func newDeadCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "Look at dead letters, and deal with them",
		Long: `Dead letters are events that get no record, with the reason why. They stay in
their stream until its max_age, and nobody else deals with them.`,
	}
	group(c)
	c.AddCommand(newDeadListCommand(a), newDeadShowCommand(a), newDeadRedriveCommand(a), newDeadExportCommand(a), newDeadPurgeCommand(a))
	return c
}

// deadFlags is which letters are meant.
type deadFlags struct {
	nats         *natsconn.Settings
	appid        string
	reasons      []string
	codes        []int
	since, until string
}

func (f *deadFlags) register(a *app, c *cobra.Command) {
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "only letters of this account")
	flags := c.Flags()
	flags.StringSliceVar(&f.reasons, "reason", nil, "only letters of this reason; may be repeated")
	flags.IntSliceVar(&f.codes, "code", nil, "only letters with this errcode of WeChat's, 0 for none; may be repeated")
	flags.StringVar(&f.since, "since", "", "only letters stored since: 10m, 2d or 2026-01-31T08:00:00+08:00")
	flags.StringVar(&f.until, "until", "", "only letters stored before, in the same forms: 2d for those older than two days")
	var reasons []string
	for _, r := range events.Reasons() {
		reasons = append(reasons, string(r))
	}
	register(c, "reason", reasons...)
}

// selection reads the flags, and arguments that are sequences.
func (f *deadFlags) selection(args []string, now time.Time) (dead.Selection, error) {
	s := dead.Selection{AppID: f.appid, Codes: f.codes}
	if f.appid != "" && !events.ValidAppID(f.appid) {
		return s, usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", f.appid)
	}
	for _, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || seq == 0 {
			return s, usage("%q is no sequence of the stream of dead letters", arg).hint("\"wxenrich dead list --each\" shows them")
		}
		s.Seqs = append(s.Seqs, seq)
	}
	slices.Sort(s.Seqs)
	s.Seqs = slices.Compact(s.Seqs)
	for _, r := range f.reasons {
		if !slices.Contains(events.Reasons(), events.Reason(r)) {
			return s, usage("--reason %q: want one of %v", r, events.Reasons())
		}
		s.Reasons = append(s.Reasons, events.Reason(r))
	}
	var fault *exitError
	if s.Since, fault = instant("--since", f.since, now); fault != nil {
		return s, fault
	}
	if s.Until, fault = instant("--until", f.until, now); fault != nil {
		return s, fault
	}
	if !s.Until.IsZero() && s.Until.Before(s.Since) {
		return s, usage("the range ends before it begins")
	}
	return s, nil
}

// morgue is the letters that a command is about.
type morgue struct {
	app    *app
	cfg    *config.Config
	nc     *natsconn.Conn
	js     jetstream.JetStream
	sel    dead.Selection
	places []dead.Place
}

// withDead connects a command to its letters.
func (f *deadFlags) withDead(ctx context.Context, a *app, name string, args []string, do func(context.Context, *morgue) error) error {
	sel, err := f.selection(args, time.Now())
	if err != nil {
		return err
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	m := morgue{app: a, cfg: cfg, sel: sel, places: deadPlaces(cfg, sel)}
	if len(m.places) == 0 {
		return usage("--appid is missing, and the configuration has no account")
	}
	if len(sel.Seqs) > 0 && len(m.places) > 1 {
		return usage("--appid is missing: each account has its own stream of dead letters")
	}
	if m.nc, m.js, err = a.dialStreams(ctx, f.nats, cfg, name); err != nil {
		return err
	}
	defer m.nc.Close()
	return do(ctx, &m)
}

// deadPlaces is where the letters are. Subjects spare reading what is not meant.
func deadPlaces(cfg *config.Config, sel dead.Selection) []dead.Place {
	var pairs []string
	if sel.AppID != "" {
		pairs = append(pairs, "{appid}", sel.AppID)
	}
	subjects := func(pairs ...string) (out []string) {
		for _, r := range sel.Reasons {
			out = append(out, subjectFilter(cfg.Dead.Subject, append(pairs[:len(pairs):len(pairs)], "{reason}", string(r))...))
		}
		if len(out) == 0 || !strings.Contains(cfg.Dead.Subject, "{reason}") {
			return []string{subjectFilter(cfg.Dead.Subject, pairs...)}
		}
		return out
	}
	if !strings.Contains(cfg.Dead.Stream, "{appid}") {
		return []dead.Place{{Stream: cfg.Dead.Stream, Subjects: subjects(pairs...)}}
	}
	appids := cfg.AppIDs()
	if sel.AppID != "" {
		appids = []string{sel.AppID}
	}
	var out []dead.Place
	for _, appid := range appids {
		out = append(out, dead.Place{Stream: expandAppID(cfg.Dead.Stream, appid), Subjects: subjects("{appid}", appid)})
	}
	return out
}

// read hands all letters that are meant to visit, with progress.
func (m *morgue) read(ctx context.Context, bodies bool, visit func(dead.Place, *dead.Letter) bool) (dead.Result, error) {
	progress := term.NewProgress(term.Of(m.app.err, m.app.getenv), time.Now())
	defer progress.Done()
	var sum dead.Result
	for _, p := range m.places {
		more := true
		r, err := dead.Read(ctx, m.js, dead.Reading{
			Place: p, Selection: m.sel, Bodies: bodies,
			Progress: func(done, total uint64) {
				progress.Show(time.Now(), "reading %s: %s of %s", p.Stream, grouped(done), grouped(total))
			},
		}, func(l *dead.Letter) bool {
			more = visit(p, l)
			return more
		})
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return sum, missingStream(err, "there is no stream "+p.Stream, p.Stream, []string{m.cfg.Dead.Subject})
		}
		if err != nil {
			return sum, m.nc.Explain(err)
		}
		sum.Read += r.Read
		sum.Foreign += r.Foreign
		sum.Absent = append(sum.Absent, r.Absent...)
		if !more {
			break
		}
	}
	progress.Done()
	if sum.Foreign > 0 {
		m.app.say("note: %s messages are no dead letters", grouped(sum.Foreign))
	}
	for _, seq := range sum.Absent {
		m.app.say("note: %d is no dead letter that is meant", seq)
	}
	return sum, nil
}

// none says that there is no letter that is meant.
func (m *morgue) none() error {
	if m.sel.All() {
		return nothing("there are no dead letters")
	}
	return strange(m.cfg, m.sel.AppID, nothing("there is no such dead letter"))
}

// decoder reads an account's events as the configuration says now.
func (m *morgue) decoder(appid string) *events.Decoder {
	return &events.Decoder{AppID: appid, Fields: m.cfg.Anyone(appid).Input.Fields}
}
