package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// eraseFlags is what the command line says.
type eraseFlags struct {
	nats            *natsconn.Settings
	appid           string
	openid, unionid string
	again           bool
	anyAccount      bool
	streams         []string
	settle          time.Duration
	dryRun, yes     bool
	json            bool
}

func newEraseCommand(a *app) *cobra.Command {
	var f eraseFlags
	c := &cobra.Command{
		Use:   "erase",
		Short: "Remove a person from all streams, for good",
		Long: `Erase overwrites and removes whatever the streams hold about a person: events of
all types, records, dead letters, messages written to the account, and places in
kept lists of followers. It counts them first, and asks, unless --yes says so.
Consumers are told by a notice in the stream WX_ERASED (erase.stream). A tombstone
stays, which is a hash and a time: no event from before it is answered any more,
whoever delivers, replays or redrives it. Whoever follows anew is answered.

With --unionid it is done for every openid that records name with it, in all
accounts of the configuration. An account that is neither configured nor one that
a replica has left a trace of is refused, unless --any-account is given: it may be
a typing mistake, and its tombstone would stay. With --again nobody is named: what tombstones
cover is removed wherever it has come back, as from a backup.

The streams are read twice, --settle apart: a replica may be storing an answer at
the first time. If the command is killed a running replica ends its work, and so
does the same command again. Exit code 1 when a stream does not let itself be
rid of messages, 3 when --unionid or --again find nothing.`,
		Example: `  wxenrich erase --openid oABCDEFGHIJKLMNOPQRSTUVWXYZ0 --dry-run
  wxenrich erase --openid oABCDEFGHIJKLMNOPQRSTUVWXYZ0 --yes
  wxenrich erase --unionid okCzI6K_GqyZtoBSoljImn5b_1pO --yes --json
  wxenrich erase --again --dry-run`,
		Args: arguments(cobra.NoArgs),
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "the account (default the only one configured; with --unionid all)")
	flags := c.Flags()
	flags.StringVar(&f.openid, "openid", "", "the person, within one account")
	flags.StringVar(&f.unionid, "unionid", "", "the person, in all accounts")
	flags.BoolVar(&f.again, "again", false, "all who are erased already")
	flags.BoolVar(&f.anyAccount, "any-account", false, "also in an account that nothing here knows")
	flags.StringSliceVar(&f.streams, "stream", nil, "a further stream to look in, such as a mirror; may be repeated")
	flags.DurationVar(&f.settle, "settle", erase.Settle, "how long to wait before looking once more")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say what would be removed")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.json, "json", false, "print what was removed as JSON, a line for each account")
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), a) }
	return c
}

// eraser is a command at work.
type eraser struct {
	*eraseFlags
	app    *app
	cfg    *config.Config
	js     jetstream.JetStream
	ledger *erase.Ledger
	board  *pipeline.Board // nil: there is none
}

func (f *eraseFlags) run(ctx context.Context, a *app) error {
	switch {
	case f.openid == "" && f.unionid == "" && !f.again:
		return usage("who?").hint("name the person by --openid or --unionid")
	case f.openid != "" && f.unionid != "" || f.again && f.openid+f.unionid != "":
		return usage("--openid, --unionid and --again: want one of them")
	case f.openid != "" && !events.ValidOpenID(f.openid):
		return usage("--openid: that is no openid")
	case f.settle < 0:
		return usage("--settle %s: want 0s or more", f.settle)
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	if cfg.Erase.Bucket == "" {
		return usage("erase.bucket is empty: it would not be kept who is erased")
	}
	var accounts []*config.Account
	if f.appid != "" || f.openid != "" || len(cfg.Accounts) == 0 {
		account, err := oneAccount(cfg, f.appid)
		if err != nil {
			return err
		}
		accounts = append(accounts, account)
	} else {
		for i := range cfg.Accounts {
			accounts = append(accounts, &cfg.Accounts[i])
		}
	}
	nc, js, err := a.dialStreams(ctx, f.nats, cfg, "erase")
	if err != nil {
		return err
	}
	defer nc.Close()
	e := eraser{eraseFlags: f, app: a, cfg: cfg, js: js}
	if e.ledger, err = erase.Open(ctx, e.js, cfg.Erase.Bucket, nil); err != nil {
		return nc.Explain(err)
	}
	defer e.ledger.Close()
	if cfg.State.Bucket != "" {
		e.board, err = openBoard(ctx, e.js, cfg, slog.New(slog.DiscardHandler))
		if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
			return nc.Explain(err)
		}
		defer e.board.Close()
	}
	if f.appid != "" && !f.anyAccount {
		if err := checkServed(ctx, js, e.board, cfg, accounts[0]); err != nil {
			if unknown, ok := errors.AsType[*exitError](err); ok {
				return unknown.hint("--any-account erases there all the same")
			}
			return nc.Explain(err)
		}
	}
	return nc.Explain(e.do(ctx, accounts))
}

// erasing is one account's part.
type erasing struct {
	*erase.Erasure
	orders []erase.Order
}

// do counts, asks, and erases.
func (e *eraser) do(ctx context.Context, accounts []*config.Account) error {
	progress := term.NewProgress(term.Of(e.app.err, e.app.getenv), time.Now())
	defer progress.Done()
	var parts []erasing
	people := 0
	for _, account := range accounts {
		part, err := e.part(ctx, account, progress)
		if err != nil {
			return err
		}
		people += len(part.orders)
		if len(part.orders) > 0 || e.again {
			parts = append(parts, part)
		}
	}
	switch {
	case e.again && !e.ledger.Some():
		return nothing("nobody was erased so far")
	case len(parts) == 0:
		return nothing("no record names that unionid").hint("what there is without a record is found by --openid only")
	}
	if e.dryRun || e.again || !e.yes {
		found := uint64(0)
		for _, part := range parts {
			r, err := part.Find(ctx, part.orders)
			if e.again {
				r, err = part.Again(ctx, true)
			}
			if err != nil {
				return err
			}
			for _, s := range r.Swept {
				found += s.Found
			}
			if e.dryRun {
				progress.Done()
				if err := e.print(ctx, &part, &r); err != nil {
					return err
				}
			}
		}
		progress.Done()
		switch {
		case e.again && found == 0:
			return nothing("nothing has come back")
		case e.dryRun:
			return nil
		}
		question := fmt.Sprintf("erase %d openids with %s messages for good?", people, grouped(found))
		if e.again {
			question = fmt.Sprintf("remove %s messages that have come back, for good?", grouped(found))
		}
		if !e.yes {
			if err := e.app.confirm(ctx, question); err != nil {
				return err
			}
		}
	}
	progress.Done()
	if err := e.ready(ctx, parts); err != nil {
		return err
	}
	for _, part := range parts {
		r, err := e.erase(ctx, &part)
		progress.Done()
		if len(r.Swept) > 0 || err == nil {
			err = errors.Join(e.print(ctx, &part, &r), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part is what is to be done for an account.
func (e *eraser) part(ctx context.Context, account *config.Account, progress *term.Progress) (erasing, error) {
	lc, err := laneConfig(e.cfg, account)
	if err != nil {
		return erasing{}, err
	}
	part := erasing{Erasure: pipeline.NewErasure(ctx, e.js, e.ledger, e.board, lc)}
	for _, name := range e.streams {
		if _, err := e.js.Stream(ctx, name); err != nil {
			return part, usage("--stream %s: %w", name, err)
		}
		part.Places = append(part.Places, erase.Place{Stream: name})
	}
	part.Settle = e.settle
	part.Progress = func(stream string, done, total uint64) {
		progress.Show(time.Now(), "reading %s: %s of %s", stream, grouped(done), grouped(total))
	}
	part.Waiting = func() {
		progress.Done()
		fmt.Fprintf(e.app.err, "looking once more in %s, for what was on its way\n", e.settle)
	}
	openids := []string{e.openid}
	switch {
	case e.again:
		return part, nil
	case e.unionid != "":
		if openids, err = part.OpenIDs(ctx, e.unionid); err != nil {
			return part, err
		}
	}
	for _, openid := range openids {
		part.orders = append(part.orders, erase.Order{
			AppID: account.AppID, OpenID: openid, UnionID: e.unionid, UpTo: time.Now(), Due: time.Now(),
			Why: events.ErasedByRequest, By: whoAsks(),
		})
	}
	return part, nil
}

// ready makes sure of what the erasure of all parts needs, before any of them
// removes something.
func (e *eraser) ready(ctx context.Context, parts []erasing) error {
	if e.again {
		return nil
	}
	for _, part := range parts {
		if err := part.Ready(ctx); errors.Is(err, jetstream.ErrStreamNotFound) {
			return absentStream(err, e.js.Conn().ConnectedServerVersion(), e.cfg, &part.Notices)
		} else if err != nil {
			return err
		}
	}
	err := e.ledger.Prepare(ctx, e.cfg.Erase.Replicas, events.Manage(e.cfg.Manage))
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return failed("%w, and manage is %s", err, e.cfg.Manage).hint("%s", plan.AddTombstones(e.cfg.Erase.Bucket, e.cfg.Erase.Replicas))
	}
	return err
}

// erase does it.
func (e *eraser) erase(ctx context.Context, part *erasing) (r erase.Report, err error) {
	if e.again {
		return part.Again(ctx, false)
	}
	waits := func() {
		e.app.say("somebody else is being erased of account %s: this waits until that is done, and is not written down before", part.AppID)
	}
	err = e.ledger.Hold(ctx, part.AppID, waits, func(ctx context.Context) error {
		var orders []erase.Standing
		for _, o := range part.orders {
			o.UpTo = time.Time{} // the server's clock says it
			placed, err := e.ledger.Place(ctx, o)
			if err != nil {
				return err
			}
			orders = append(orders, placed)
		}
		if e.unionid != "" {
			if err := e.ledger.BuryUnion(ctx, e.unionid, orders[0].UpTo, whoAsks(), events.ErasedByRequest); err != nil {
				return err
			}
		}
		r, err = part.Run(ctx, orders)
		return err
	})
	return r, err
}
