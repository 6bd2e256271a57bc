package main

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/explain"
)

// explainFlags is what the command line says.
type explainFlags struct {
	nats  *natsconn.Settings
	appid string
	since string
	limit int
	json  bool
}

func newExplainCommand(a *app) *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain OPENID|EVENT-ID|SEQ",
		Short: "Tell the story of an event: stored, looked up, answered",
		Long: `Tells what became of an event, by its sequence in the input stream, its id, or
the openid it is about: when it was stored, how often it was delivered, which
call answered it, its record or dead letter with its place, replays and
redrives; of one without an answer, where it is and what it waits for.

It reads the streams, the durable and the state bucket, and changes nothing. A
sequence is found at once; for an id or an openid the input is read, and the
answers' headers, so that --since spares time. Exit code 3 when there is no such
event.`,
		Example: `  wxenrich explain 1
  wxenrich explain oABCDEFGHIJKLMNOPQRSTUVWXYZ0 --since 2d
  wxenrich explain WX_EVENTS-1 --json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), a, args[0]) },
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "only this account (default all that are configured)")
	flags := c.Flags()
	flags.StringVar(&f.since, "since", "", "look only at what was stored since: 10m, 2d or 2026-01-31T08:00:00+08:00")
	flags.IntVarP(&f.limit, "limit", "n", 20, "how many events of an openid to tell, the newest")
	flags.BoolVar(&f.json, "json", false, "print JSON, one event in a line")
	return c
}

func (f *explainFlags) run(ctx context.Context, a *app, what string) error {
	if f.limit < 1 {
		return usage("--limit %d: want 1 or more", f.limit)
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	q, err := f.query(cfg, what, time.Now())
	if err != nil {
		return err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	nc, js, err := a.dialStreams(ctx, f.nats, cfg, "explain")
	if err != nil {
		return err
	}
	defer nc.Close()
	scope := audit.Scope{Lanes: q.Lanes}
	q.Lanes = nil
	board, err := a.boardToLookAt(ctx, js, cfg)
	if err != nil {
		return nc.Explain(err)
	}
	defer board.Close()
	addBackfills(board, &scope)
	for _, l := range scope.Lanes {
		for _, o := range cfg.Outputs {
			l.Output, l.OutputSubject = expandAppID(o.Stream, l.AppID), subjectFilter(o.Subject, "{appid}", l.AppID)
			q.Lanes = append(q.Lanes, l)
		}
	}
	ledger, unread := ledgerToLookAt(ctx, js, cfg)
	defer ledger.Close()
	q.Erased = pipeline.Withheld(ledger)
	q.Purged = func(ctx context.Context) ([]audit.Purged, error) { return purgedLetters(ctx, js, cfg) }
	progress := term.NewProgress(term.Of(a.err, a.getenv), time.Now())
	q.Progress = func(stream string, done, total uint64) {
		progress.Show(time.Now(), "reading %s: %s of %s", stream, grouped(done), grouped(total))
	}
	stories, more, err := explain.Run(ctx, js, q)
	progress.Done()
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return failed("%w", err).hint("is the configuration the service's? \"wxenrich run\" creates the streams")
	case err != nil:
		return nc.Explain(err)
	}
	erased, err := erasedText(ctx, ledger, &q, len(stories) > 0)
	if err != nil {
		return nc.Explain(err)
	}
	if len(stories) == 0 {
		if len(erased) > 0 {
			return nothing("there is no event %s any more: %s", what, strings.Join(erased, "; "))
		}
		return strange(cfg, f.appid, nothing("there is no event %s", what).
			hint("it may have left the input by age, or --since, --appid or --server leave it out"))
	}
	if err := f.elsewhere(cfg, &stories[0]); err != nil {
		return err
	}
	board, note := boardToLookAt(ctx, js, cfg, log)
	defer board.Close()
	if err := printStories(a, stories, board, f.json); err != nil {
		return err
	}
	if more {
		erased = append(erased, fmt.Sprintf("there are earlier events: --limit shows more than %d", f.limit))
	}
	for _, n := range append(erased, note, unread) {
		if n != "" {
			a.say("note: %s", n)
		}
	}
	return nil
}

// elsewhere refuses a message by its sequence that is of another account than the
// one that is asked about: that one's streams do not tell what became of it.
func (f *explainFlags) elsewhere(cfg *config.Config, s *explain.Story) error {
	if f.appid == "" || s.AppID != "" {
		return nil
	}
	for _, appid := range cfg.AppIDs() {
		if strings.Contains("."+s.Subject+".", "."+appid+".") || slices.Contains(cfg.Anyone(appid).Resolve().Subjects, s.Subject) {
			return nothing("there is no event %d of %s: %s has it%s", s.Seq, f.appid, appid, onSubject(s.Subject)).hint("--appid %s", appid)
		}
	}
	return nothing("there is no event %d of %s: no account listens to %s", s.Seq, f.appid, s.Subject)
}

// query is what the argument means: digits are a sequence.
func (f *explainFlags) query(cfg *config.Config, what string, now time.Time) (explain.Query, error) {
	q := explain.Query{Text: what, Limit: f.limit}
	if seq, err := strconv.ParseUint(what, 10, 64); err == nil && seq > 0 {
		q.Seq, q.Text = seq, ""
	}
	if what == "" {
		return q, usage("want an openid, an event's id, or a sequence of the input stream")
	}
	var fault *exitError
	if q.Since, fault = instant("--since", f.since, now); fault != nil {
		return q, fault
	}
	appids := cfg.AppIDs()
	if f.appid != "" || len(appids) == 0 {
		account, err := oneAccount(cfg, f.appid)
		if err != nil {
			return q, err
		}
		appids = []string{account.AppID}
	}
	for _, appid := range appids {
		if !events.ValidAppID(appid) {
			return q, usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", appid)
		}
		q.Lanes = append(q.Lanes, auditLane(cfg, cfg.Anyone(appid), true))
	}
	for _, l := range q.Lanes {
		if q.Seq != 0 && l.Stream != q.Lanes[0].Stream {
			return q, usage("--appid is missing: the accounts have several input streams")
		}
	}
	// A name that we gave says where the event is.
	if stream := q.Lanes[0].Stream; len(what) > len(stream) && what[:len(stream)] == stream && what[len(stream)] == '-' {
		if seq, err := strconv.ParseUint(what[len(stream)+1:], 10, 64); err == nil && seq > 0 {
			q.Seq, q.Text = seq, ""
		}
	}
	return q, nil
}

// storyJSON is a story with what the state bucket adds.
type storyJSON struct {
	explain.Story
	Holds []string `json:"holds,omitempty"`
}

func printStories(a *app, stories []explain.Story, board *pipeline.Board, asJSON bool) error {
	screen := term.Of(a.out, a.getenv)
	for i := range stories {
		s := &stories[i]
		var holds []string
		if s.Standing != explain.Answered {
			for _, h := range board.Holds(s.AppID) {
				holds = append(holds, holdText(&h))
			}
		}
		if asJSON {
			if err := a.printJSON(storyJSON{*s, holds}); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(screen)
		}
		for _, line := range storyLines(screen, s, holds) {
			if _, err := fmt.Fprintln(screen, line); err != nil {
				return err
			}
		}
	}
	return nil
}
