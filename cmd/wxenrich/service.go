package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// service is the lanes of a configuration and what they share.
type service struct {
	log       *slog.Logger
	consume   *natsconn.Conn
	publish   *natsconn.Conn  // its own: an answer must not leave hours late from a buffer
	board     *pipeline.Board // nil if there is none
	erased    *erase.Ledger   // nil if there is none
	telemetry *telemetry
	fleet     *fleet

	// What lanes are made of.
	clients clients
	limit   *pipeline.Limit
	js      jetstream.JetStream
	bucket  jetstream.KeyValue // nil if there is none
	out     *pipeline.Publisher
	recent  *pipeline.Recent
	rounds  *pipeline.Rounds

	said sync.Map // what was found of streams; accounts share them, and come by themselves
}

// fresh reports whether something is said for the first time.
func (s *service) fresh(text string) bool {
	_, before := s.said.LoadOrStore(text, true)
	return !before
}

// clients makes an account's WeChat client. The bucket is where replicas share
// a token, nil if there is none.
type clients func(*config.Account, jetstream.KeyValue) (*wxapi.API, error)

// newService connects, makes or checks the streams, and builds the lanes.
// close ends what it began.
func newService(ctx context.Context, cfg *config.Config, conn natsconn.Settings, clients clients, limit *pipeline.Limit, t *telemetry, log *slog.Logger) (*service, error) {
	s := &service{log: log, telemetry: t, fleet: newFleet(log), clients: clients, limit: limit}
	s.fleet.make = s.join
	if err := s.connect(ctx, conn); err != nil {
		s.close()
		return nil, err
	}
	if err := s.build(ctx, cfg); err != nil {
		s.close()
		return nil, s.consume.Explain(err)
	}
	return s, nil
}

// connect waits for the server.
func (s *service) connect(ctx context.Context, conn natsconn.Settings) error {
	conn.Wait = true
	consume, err := natsconn.Connect(ctx, conn, "wxenrich")
	if err != nil {
		return connectFailed(err)
	}
	s.consume = consume
	publish, err := natsconn.ConnectPublisher(ctx, conn, "wxenrich publisher")
	if err != nil {
		return connectFailed(err)
	}
	s.publish = publish
	return nil
}

// build makes the streams and the lanes.
func (s *service) build(ctx context.Context, cfg *config.Config) error {
	var err error
	if s.js, err = s.consume.JetStream(); err != nil {
		return err
	}
	found, err := ensureStreams(ctx, s.js, cfg)
	if err != nil {
		return err
	}
	if s.out, err = pipeline.NewPublisher(s.publish.Conn); err != nil {
		return err
	}
	s.bucket, err = openBucket(ctx, s.js, cfg)
	if err == nil && s.bucket != nil {
		s.board, err = pipeline.OpenBoard(ctx, s.bucket, s.log)
	}
	if err != nil {
		s.log.Warn("replicas cannot share tokens, holds and counts; this one goes on alone", slog.Any("error", err))
	}
	if s.bucket != nil {
		_ = found.addBucket(ctx, s.bucket) // it only stays unchecked
	}
	if cfg.Erase.Bucket != "" {
		if s.erased, err = erase.Open(ctx, s.js, cfg.Erase.Bucket, s.log); err != nil {
			return failed("%w", err).
				hint("somebody may be erased who is not to come back; \"wxenrich doctor\" says which right is missing")
		}
	}
	if err := s.inspect(cfg, found); err != nil {
		return err
	}
	s.recent = pipeline.NewRecent(int64(cfg.Recent.Memory))
	s.rounds = pipeline.NewRounds(s.js, s.log)
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		m, err := s.member(cfg, a)
		if err != nil {
			return err
		}
		s.fleet.add(cfg, a, m)
	}
	return nil
}

// member makes an account's lane.
func (s *service) member(cfg *config.Config, a *config.Account) (*member, error) {
	client, err := s.clients(a, s.bucket)
	if err != nil {
		return nil, err
	}
	lc, err := laneConfig(cfg, a)
	if err != nil {
		return nil, err
	}
	lane, err := pipeline.NewLane(pipeline.Deps{
		JS: s.js, Out: s.out, WeChat: client, Log: s.log, Limit: s.limit, Recent: s.recent, Timing: s.telemetry.timings, Tracer: s.telemetry.Tracer,
		Rounds: s.rounds, Board: s.board, Erased: s.erased, Renewed: client.Renewed, TokenHint: client.TokenHint,
		Prepare: func(ctx context.Context) error { return s.fleet.prepare(ctx, client) },
	}, lc)
	if err != nil {
		return nil, usage("%w", err)
	}
	return &member{lane, client}, nil
}

// join makes the lane of an account that comes later, and its streams if they
// are missing.
func (s *service) join(ctx context.Context, cfg *config.Config, a *config.Account) (*member, error) {
	alone := *cfg
	alone.Accounts = []config.Account{*a}
	found, err := ensureStreams(ctx, s.js, &alone)
	if err != nil {
		return nil, s.consume.Explain(err)
	}
	if err := s.inspect(&alone, found); err != nil {
		return nil, err
	}
	return s.member(cfg, a)
}

// run answers events until ctx ends. Without stay it ends, too, when every lane
// has by itself.
func (s *service) run(ctx context.Context, stay bool) error {
	looking, end := context.WithCancel(ctx)
	var rounds sync.WaitGroup
	rounds.Go(func() { s.rounds.Run(looking) })
	err := s.fleet.run(ctx, stay)
	end()
	rounds.Wait()
	if _, refused := errors.AsType[*pipeline.Refusal](err); refused {
		return refusals(err)
	}
	return nil
}

// flushTimeout is how long the end waits for the server to take the last acks.
const flushTimeout = time.Second

// close sends what is still to be sent, acks above all, and hangs up.
func (s *service) close() {
	s.fleet.close()
	s.board.Close()
	s.erased.Close()
	if s.consume != nil {
		_ = s.consume.FlushTimeout(flushTimeout) // an ack that is lost costs a redelivery
		s.consume.Close()
	}
	if s.publish != nil {
		s.publish.Close()
	}
}

// refusals turns the lanes' refusals into one usage error with their hints.
func refusals(err error) error {
	e := usage("%w", err)
	var walk func(error)
	walk = func(err error) {
		switch x := err.(type) {
		case *pipeline.Refusal:
			e.hint("%s", x.Hint)
		case interface{ Unwrap() []error }:
			for _, err := range x.Unwrap() {
				walk(err)
			}
		}
	}
	walk(err)
	return e
}

// ensureStreams makes what is missing, and says what is there.
func ensureStreams(ctx context.Context, js jetstream.JetStream, cfg *config.Config) (*layout, error) {
	found := &layout{server: js.Conn().ConnectedServerVersion()}
	for _, spec := range streamSpecs(cfg) {
		stream, drifts, err := events.EnsureStream(ctx, js, spec, events.Manage(cfg.Manage))
		if err != nil {
			return nil, absentStream(err, js.Conn().ConnectedServerVersion(), cfg, &spec)
		}
		found.add(stream, drifts)
	}
	return found, nil
}

// inspect refuses streams that would lose events, and warns of those that would
// double or delay them, or that are not as the configuration says.
func (s *service) inspect(cfg *config.Config, found *layout) error {
	accounts := make([]*config.Account, len(cfg.Accounts))
	for i := range accounts {
		accounts[i] = &cfg.Accounts[i]
	}
	findings, err := found.findings(cfg, accounts)
	if err != nil {
		return err
	}
	if f, refused := plan.Refusal(findings); refused {
		return usage("%s", f).hint("%s", f.Fix)
	}
	for _, f := range findings {
		if f.Severity == plan.Warn && s.fresh(f.String()) {
			s.log.Warn(f.String(), slog.String("fix", f.Fix))
		}
	}
	for _, d := range found.differences(findings) {
		if d.Fatal {
			return usage("%s", d).hint("nats stream edit %s, or name another stream", d.Stream)
		}
		if !s.fresh(d.String()) {
			continue
		}
		s.log.Warn("stream differs from the configuration; it is used as it is",
			slog.String("stream", d.Stream), slog.String("field", d.Field), slog.String("have", d.Have), slog.String("want", d.Want))
	}
	return nil
}
