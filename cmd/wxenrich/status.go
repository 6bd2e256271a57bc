package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// statusFlags is what the command line says.
type statusFlags struct {
	nats  *natsconn.Settings
	appid string
	watch bool
	every time.Duration
	json  bool
}

func newStatusCommand(a *app) *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the accounts fare: lag, holds, quota",
		Long: `Shows for each account what it does, how far it is behind, what is in hand, how
old the oldest unanswered event is, what became dead letters and what is left
of the day's quota; for one that is on hold, why, until when and what to do; and
bulk work that is not over. It reads streams, consumers and the state bucket, so
it shows all replicas together, and needs none of them.

With --watch it goes on until it is interrupted, and shows rates too. Exit code
1 when NATS cannot be reached, 3 when there is no account.`,
		Example: `  wxenrich status
  wxenrich status --appid wx0123456789abcdef --json
  wxenrich status --watch --every 10s`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			err := runStatus(c.Context(), a, f)
			if f.watch && c.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // being interrupted is how it ends
			}
			return err
		},
	}
	f.nats = natsFlags(c)
	a.appidFlag(c, &f.appid, "only this account (default all that are configured)")
	flags := c.Flags()
	flags.BoolVarP(&f.watch, "watch", "w", false, "show it again and again until interrupted")
	flags.DurationVar(&f.every, "every", 2*time.Second, "how often, with --watch")
	flags.BoolVar(&f.json, "json", false, "print JSON, one object in a line for each time")
	return c
}

func runStatus(ctx context.Context, a *app, f statusFlags) error {
	if f.every < time.Second/10 {
		return usage("--every %s: want 100ms or more", f.every)
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	lanes, err := f.lanes(cfg)
	if err != nil {
		return err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	nc, js, err := a.dialStreams(ctx, f.nats, cfg, "status")
	if err != nil {
		return err
	}
	defer nc.Close()
	board, note := boardToLookAt(ctx, js, cfg, log)
	defer board.Close()
	ledger, unread := ledgerToLookAt(ctx, js, cfg)
	defer ledger.Close()
	look := func(ctx context.Context) (status.Report, error) {
		r, err := status.Read(ctx, js, board, ledger, lanes)
		for _, n := range []string{note, unread} {
			if n != "" {
				r.Notes = append(r.Notes, n)
			}
		}
		if err != nil {
			err = nc.Explain(err)
		}
		return r, err
	}
	report, err := look(ctx)
	if err != nil {
		return err
	}
	if f.appid != "" && !known(cfg, &report.Accounts[0]) {
		return nothing("account %s is not configured, and has no durable at this server", f.appid).
			hint("--server, --context or NATS_URL name another server")
	}
	v := &statusView{app: a, json: f.json}
	if !f.watch {
		return v.once(&report)
	}
	return v.watch(ctx, f.every, report, look)
}

// known reports whether there is anything to say of an account.
func known(cfg *config.Config, a *status.Account) bool {
	_, configured := cfg.ByAppID(a.AppID)
	return configured || a.Durable != nil || a.Mark != nil || len(a.Holds) > 0
}

// boardToLookAt is nil with a note of why if there is none.
func boardToLookAt(ctx context.Context, js jetstream.JetStream, cfg *config.Config, log *slog.Logger) (*pipeline.Board, string) {
	const unknown = ": holds, quota and marks are not known"
	if cfg.State.Bucket == "" {
		return nil, "state.bucket is empty" + unknown
	}
	board, err := openBoard(ctx, js, cfg, log)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, "there is no bucket " + cfg.State.Bucket + unknown
	}
	if err != nil {
		return nil, err.Error() + unknown
	}
	return board, ""
}

// lanes is the accounts to look at.
func (f statusFlags) lanes(cfg *config.Config) ([]status.Lane, error) {
	appids := cfg.AppIDs()
	if f.appid != "" {
		if !events.ValidAppID(f.appid) {
			return nil, usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", f.appid)
		}
		appids = []string{f.appid}
	}
	if len(appids) == 0 {
		return nil, nothing("the configuration has no account").hint("name one with --appid, or the file with --config")
	}
	var out []status.Lane
	for _, appid := range appids {
		lane, err := statusLane(cfg, cfg.Anyone(appid))
		if err != nil {
			return nil, err
		}
		out = append(out, lane)
	}
	return out, nil
}

func statusLane(cfg *config.Config, account *config.Account) (status.Lane, error) {
	lc, err := laneConfig(cfg, account)
	if err != nil {
		return status.Lane{}, err
	}
	l := status.Lane{
		Config: lc,
		Dead:   status.Place{Stream: expandAppID(cfg.Dead.Stream, account.AppID), Subject: subjectFilter(cfg.Dead.Subject, "{appid}", account.AppID)},
	}
	for _, o := range cfg.Outputs {
		p := status.Place{Stream: expandAppID(o.Stream, account.AppID)}
		if !strings.Contains(o.Subject, "{openid}") && !strings.Contains(o.Subject, "{unionid}") {
			p.Subject = subjectFilter(o.Subject, "{appid}", account.AppID)
		}
		l.Records = append(l.Records, p)
	}
	return l, nil
}
