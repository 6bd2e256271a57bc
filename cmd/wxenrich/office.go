package main

import (
	"context"
	"errors"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// office is where jobs are asked for.
type office struct {
	cfg   *config.Config
	js    jetstream.JetStream
	board *pipeline.Board
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

// account is the one that a command changes something about: configured here, or
// one that the replicas have left something of. A typing mistake is neither.
func (o *office) account(ctx context.Context, appid string) (*config.Account, error) {
	account, err := oneAccount(o.cfg, appid)
	if err != nil {
		return nil, err
	}
	return account, checkServed(ctx, o.js, o.board, o.cfg, account)
}

// checkServed refuses an account that is neither configured nor one that the replicas
// have left something of.
func checkServed(ctx context.Context, js jetstream.JetStream, board *pipeline.Board, cfg *config.Config, account *config.Account) error {
	if _, configured := cfg.ByAppID(account.AppID); configured || board.Knows(account.AppID) {
		return nil
	}
	in := account.Resolve()
	if _, err := js.Consumer(ctx, in.Stream, in.Durable); err == nil {
		return nil
	}
	e := usage("account %s is not configured, and no replica has left a trace of it", account.AppID)
	own, served := cfg.AppIDs(), board.Accounts()
	if meant := suggest.Nearest(account.AppID, slices.Concat(own, served)); meant != "" {
		return e.hint("did you mean %s?", meant)
	}
	if len(own) > 0 {
		e = e.hint("the configuration has %s", strings.Join(own, ", "))
	}
	if len(served) > 0 {
		e = e.hint("replicas serve %s", strings.Join(served, ", "))
	}
	return e
}

// held is the account's hold, which all replicas heed; nil if there is none.
func (o *office) held(appid string) *pipeline.Hold {
	if hs := o.board.Holds(appid); len(hs) > 0 && !hs[0].Own() {
		return &hs[0]
	}
	return nil
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

// completeJobs offers the ids of those jobs that are meant, the latest first.
func (a *app) completeJobs(flags *natsconn.Settings, meant func(*job.Job) bool) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		_ = a.withJobs(c.Context(), flags, "completion", func(o *office) error {
			for _, j := range slices.Backward(o.board.Jobs("")) {
				if meant(&j) {
					ids = append(ids, j.ID+"\t"+string(j.State))
				}
			}
			return nil
		})
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// newJob is a job of an account, to be filled.
func newJob(kind job.Kind, account *config.Account, now time.Time) job.Job {
	by := "somebody"
	if u, err := user.Current(); err == nil && u.Username != "" {
		by = u.Username
	}
	return job.Job{
		ID: pipeline.NewJobID(kind, now), AppID: account.AppID, Kind: kind, Lane: account.Resolve().Durable,
		State: job.Pending, By: by, Created: now,
	}
}
