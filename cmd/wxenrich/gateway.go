package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
)

func newGatewayCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "gateway",
		Short: "Take WeChat's pushes: the server address that the console asks for",
		Long: `Gateway is the server address (服务器配置) of one or more accounts: it takes the
events and messages that WeChat pushes, in plain, compatible or safe mode, and
stores them in the streams, events where "wxenrich run" looks them up.

In the console set the URL https://<your host>/wechat/<appid> and the Token and
EncodingAESKey that push.token_file and push.aes_key_file of the account hold; a
change of those files is taken over within seconds.

WeChat is told success only when a push is stored; else it sends it again, three
times in all. Its repeats become one event. With gateway.spool.dir pushes wait on
this machine's disk while NATS is away, and are stored in order afterwards.

It runs beside "wxenrich run", on the same configuration or another, behind a
proxy that ends TLS or with gateway.tls_cert; it needs no AppSecret. SIGTERM or Ctrl-C ends it when
the pushes that have come are answered.`,
		Example: `  wxenrich gateway --config wxenrich.yaml
  WXENRICH_ACCOUNTS_0_PUSH_TOKEN_FILE=/run/secrets/wx-push-token \
    wxenrich gateway`,
		Args: arguments(cobra.NoArgs),
	}
	flags := natsFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.gateway(c.Context(), flags) }
	return c
}

// gateway is the gateway's life.
func (a *app) gateway(ctx context.Context, flags *natsconn.Settings) error {
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
		if strings.HasPrefix(w.Path, "accounts[") && strings.Contains(w.Path, "].secret_") {
			continue // it reads no AppSecret
		}
		log.Warn("configuration", slog.String("key", w.Path), slog.String("problem", w.Problem))
	}
	accounts := pushAccounts{getenv: a.getenv}
	secrets := pushSecretFiles(cfg) // before they are read
	first, err := accounts.read(cfg)
	if err != nil {
		return err
	}
	conn, err := a.natsSettings(flags, cfg, log)
	if err != nil {
		return err
	}
	for _, problem := range exposed(conn, cfg) {
		log.Warn("NATS", slog.String("problem", problem))
	}
	nats := new(gatewayNATS)
	defer nats.close()
	c := cfg.Gateway
	waiting, err := openSpool(c.Spool, log)
	if err != nil {
		return err
	}
	if waiting != nil {
		defer waiting.Close()
	}
	gw, err := gateway.New(gateway.Config{
		Accounts: first, Path: c.Path, JS: nats, Log: log, Meter: t.meter, Tracer: t.Tracer,
		Spool: waiting, Look: nats.Look, Window: nats.Window, Timeout: c.Timeout.Std(), MaxBody: int64(c.MaxBody), MaxInFlight: c.MaxInFlight, Rate: c.Rate,
	})
	if err != nil {
		return usage("%w", err)
	}
	reader := &accountsReader{options: config.Options{Path: a.configPath, Environ: a.environ, Accounts: true}, log: log, cfg: cfg}
	if err := observeConfig(t.meter, func() int { return len(reader.wrong()) }); err != nil {
		return err
	}
	if c.HTTPListen != "" {
		admin, err := serveAdmin(c.HTTPListen, "gateway.http_listen", cfg.HTTP.TokenFile, gatherPresent(t.registry, reader.now), func(w http.ResponseWriter, _ *http.Request) { gatewayReady(w, gw, reader.wrong()) }, log)
		if err != nil {
			return err
		}
		defer admin.stop()
	}
	server, err := startGateway(c, gw, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var drain sync.WaitGroup
	drain.Go(func() { gw.Run(ctx) })
	defer drain.Wait()
	defer cancel()
	reader.change = func(ctx context.Context, next *config.Config) (d difference, err error) {
		var now []gateway.Account
		if now, err = accounts.read(next); err != nil {
			return d, err
		}
		d = accounts.difference
		if err := gw.SetAccounts(now); err != nil {
			return d, err
		}
		drain.Go(func() { nats.follow(ctx, next, log) })
		return d, nil
	}
	stopReading, err := reader.follow(ctx)
	if err != nil {
		server.stop(0)
		return err
	}
	defer stopReading()
	drain.Go(func() { followSecrets(ctx, reader, secrets) })
	connected := make(chan error, 1)
	go func() { connected <- nats.connect(ctx, conn, cfg, log) }()
	select {
	case err = <-connected:
		if err == nil {
			log.Info("gateway is running", slog.Int("accounts", len(first)))
			select {
			case <-ctx.Done():
			case err = <-server.done:
			}
		}
	case err = <-server.done:
		cancel()
		<-connected
	}
	if ctx.Err() != nil && !errors.Is(err, http.ErrServerClosed) {
		err = nil // asked to stop
	}
	server.stop(cfg.Gateway.Timeout.Std() + time.Second)
	return err
}

// openSpool opens the folder where pushes wait, if there is to be one.
func openSpool(c config.Spool, log *slog.Logger) (*spool.Spool, error) {
	if c.Dir == "" {
		return nil, nil
	}
	s, err := spool.Open(c.Dir, spool.Options{MaxBytes: int64(c.MaxBytes)})
	if errors.Is(err, spool.ErrLocked) {
		return nil, usage("gateway.spool.dir: %w", err).hint("is another gateway running? each needs a folder of its own")
	} else if err != nil {
		return nil, failed("gateway.spool.dir: %w", err)
	}
	if n := s.Len(); n > 0 {
		log.Info("pushes are in the spool", slog.Int("pushes", n))
	}
	return s, nil
}

// gatewayServer is the listener for WeChat.
type gatewayServer struct {
	http *http.Server
	addr string
	done chan error
}

func startGateway(c config.Gateway, h http.Handler, log *slog.Logger) (*gatewayServer, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, failed("gateway.listen: %w", err).hint("another process has it, or a port below 1024 wants more rights: set gateway.listen to another address")
	}
	s := &gatewayServer{addr: l.Addr().String(), done: make(chan error, 1), http: &http.Server{
		Handler: h, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute,
	}}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
		if s.http.TLSConfig, err = reloadingTLS(c.TLSCert, c.TLSKey, log); err != nil {
			return nil, errors.Join(usage("gateway.tls_cert: %w", err), l.Close())
		}
		go func() { s.done <- s.http.ServeTLS(l, "", "") }()
	} else {
		go func() { s.done <- s.http.Serve(l) }()
	}
	log.Info("taking WeChat's pushes", slog.String("address", scheme+s.addr+c.Path))
	return s, nil
}

// stop answers the pushes that have come, and ends.
func (s *gatewayServer) stop(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = s.http.Shutdown(ctx) // what is cut off is not told success, and comes again
	_ = s.http.Close()
}

// gatewayReady answers 200 while pushes can be stored, else 503 and why not.
func gatewayReady(w http.ResponseWriter, gw *gateway.Gateway, faults config.Faults) {
	report := struct {
		Ready  bool          `json:"ready"`
		Reason string        `json:"reason,omitempty"`
		Faults config.Faults `json:"configuration,omitempty"`
	}{Ready: true, Faults: faults}
	w.Header().Set("Content-Type", "application/json")
	if err := gw.Ready(); err != nil {
		report.Ready, report.Reason = false, err.Error()
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report) // an error: the client is gone
}
