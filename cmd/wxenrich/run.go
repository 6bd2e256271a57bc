package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/embedded"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/pipeline"
)

func newRunCommand(a *app) *cobra.Command {
	var limit int64
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the service: answer events until it is stopped",
		Long: `Run pulls events of every account in the configuration, looks their openids up
and publishes one record for each event.

SIGTERM or Ctrl-C ends it: calls in flight finish within shutdown.grace, and
what is unanswered is handed back at once. A second signal ends it at once.

With nats.embedded the JetStream server runs inside the process, on the folder
nats.store_dir: a whole deployment on one machine.

With --limit it answers so many events and ends. Together with a durable and
an output of its own that is a shadow run, beside the service and unseen by it.`,
		Example: `  wxenrich run --config wxenrich.yaml
  WXENRICH_INPUT_DURABLE=shadow-{appid} WXENRICH_INPUT_START=all \
    WXENRICH_OUTPUT_STREAM=WX_SHADOW WXENRICH_OUTPUT_SUBJECT=wx.shadow.{appid} \
    WXENRICH_DEAD_STREAM=WX_SHADOW_DEAD \
    WXENRICH_DEAD_SUBJECT=wx.shadowdead.{appid}.{reason} \
    WXENRICH_HTTP_LISTEN= wxenrich run --limit 100`,
		Args: arguments(cobra.NoArgs),
	}
	flags := natsFlags(c)
	c.Flags().Int64Var(&limit, "limit", 0, "end after so many events; 0 means never")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 0 {
			return usage("--limit %d: want 1 or more, or 0 for no limit", limit)
		}
		a.saveMemory()
		return a.run(c.Context(), flags, limit)
	}
	return c
}

// run is the service's life.
func (a *app) run(ctx context.Context, flags *natsconn.Settings, limit int64) error {
	cfg, err := a.load(true)
	if err != nil {
		return err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	t, err := newTelemetry(ctx, a.getenv)
	if err != nil {
		return err
	}
	defer t.stop(context.WithoutCancel(ctx))
	log = t.Logger(log)
	t.Complain(log)
	for _, w := range cfg.Warnings {
		log.Warn("configuration", slog.String("key", w.Path), slog.String("problem", w.Problem))
	}
	conn, err := a.natsSettings(flags, cfg, log)
	if err != nil {
		return err
	}
	for _, problem := range exposed(conn, cfg) {
		log.Warn("NATS", slog.String("problem", problem))
	}
	if cfg.NATS.Embedded {
		server, err := startEmbedded(cfg, log)
		if err != nil {
			return err
		}
		defer server.Stop()
		conn = natsconn.Settings{InProcess: server.NATS(), Log: log}
	}
	var stopAfter *pipeline.Limit
	if limit > 0 {
		stopAfter = pipeline.NewLimit(limit)
	}
	// Who is asked whether it lives says so while it waits for NATS, too.
	var running atomic.Pointer[service]
	lanes := func() []*pipeline.Lane {
		if s := running.Load(); s != nil {
			return s.fleet.lanes()
		}
		return nil
	}
	var reader atomic.Pointer[accountsReader]
	if err := observeConfig(t.meter, func() int { return len(reader.Load().wrong()) }); err != nil {
		return err
	}
	tokenless := func() []string {
		if s := running.Load(); s != nil {
			return s.fleet.tokenless()
		}
		return nil
	}
	if err := observeTokens(t.meter, tokenless); err != nil {
		return err
	}
	if err := pipeline.Observe(t.meter, lanes); err != nil {
		return err
	}
	if cfg.HTTP.Listen != "" {
		admin, err := startAdmin(cfg.HTTP, gatherPresent(t.registry, func() *config.Config { return reader.Load().now() }), lanes, func() trouble { return troubleOf(running.Load(), reader.Load()) }, log)
		if err != nil {
			return err
		}
		defer admin.stop()
	}
	if cfg.HTTP.PProf != "" {
		profiles, err := startProfiles(cfg.HTTP.PProf, cfg.HTTP.TokenFile, log)
		if err != nil {
			return err
		}
		defer profiles.stop()
	}
	s, err := newService(ctx, cfg, conn, func(acc *config.Account, state jetstream.KeyValue) (*wxapi.API, error) {
		return wxapi.New(acc, wxapi.Options{Getenv: a.getenv, Log: log, State: state, OnCall: t.called(acc.AppID), Brief: true, Tracer: t.Tracer})
	}, stopAfter, t, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began
		}
		return err
	}
	defer s.close()
	running.Store(s)
	if stopAfter != nil { // each account has had its share, whatever becomes of the configuration
		return s.run(ctx, false)
	}
	r := &accountsReader{options: config.Options{Path: a.configPath, Environ: a.environ, Accounts: true}, log: log, change: s.fleet.change, cfg: cfg}
	reader.Store(r)
	stopReading, err := r.follow(ctx)
	if err != nil {
		return err
	}
	defer stopReading()
	return s.run(ctx, cfg.AccountsDir != "")
}

// startEmbedded runs the server that the configuration asks for.
func startEmbedded(cfg *config.Config, log *slog.Logger) (*embedded.Server, error) {
	server, err := embedded.Start(embedded.Options{StoreDir: cfg.NATS.StoreDir, Listen: cfg.NATS.Listen, Durable: true})
	if errors.Is(err, embedded.ErrLocked) {
		return nil, usage("nats.store_dir: %w", err).hint("is another wxenrich running? each needs a folder of its own")
	}
	if err != nil {
		return nil, failed("%w", err)
	}
	log.Info("embedded NATS server", slog.String("url", server.URL()), slog.String("store_dir", cfg.NATS.StoreDir))
	return server, nil
}
