package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/events"
)

// natsFlags adds the nats CLI's connection flags to a command.
func natsFlags(c *cobra.Command) *natsconn.Settings {
	s := natsconn.Register(c.Flags())
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return natsconn.Contexts(), cobra.ShellCompDirectiveDefault
	}
	if err := c.RegisterFlagCompletionFunc("context", complete); err != nil {
		panic(err)
	}
	return s
}

// natsSettings lays the flags over the environment over the configuration.
func (a *app) natsSettings(flags *natsconn.Settings, cfg *config.Config, log *slog.Logger) (natsconn.Settings, error) {
	file, err := fileSettings(cfg)
	if err != nil {
		return natsconn.Settings{}, err
	}
	s := natsconn.Merge(*flags, natsconn.Env(a.getenv), file)
	s.Log = log
	return s, nil
}

// exposed says which files with NATS credentials others can read. Those that the
// configuration names draw its own warnings.
func exposed(s natsconn.Settings, cfg *config.Config) (problems []string) {
	for _, file := range s.SecretFiles() {
		if file == cfg.NATS.Creds || file == cfg.NATS.NKey || file == cfg.NATS.TLSKey {
			continue
		}
		if problem := config.Exposed(file); problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// fileSettings is the nats section. Where a server is embedded, it is at the
// address where it listens, for whoever is not the process it runs in.
func fileSettings(cfg *config.Config) (natsconn.Settings, error) {
	n := cfg.NATS
	s := natsconn.Settings{
		URL:     n.URL,
		Context: n.Context,
		Auth:    natsconn.Auth{Creds: n.Creds, NKey: n.NKey, User: n.User},
		TLS:     natsconn.TLS{CA: n.TLSCA, Cert: n.TLSCert, Key: n.TLSKey},
		Inbox:   n.InboxPrefix,
	}
	if n.Embedded {
		s.URL = "nats://" + n.Listen
	}
	if n.Context != "" && cfg.Origin("nats.url").Layer == "default" {
		s.URL = "" // the context's own
	}
	for _, f := range []struct {
		key, path string
		to        *string
	}{{"nats.password_file", n.PasswordFile, &s.Auth.Password}, {"nats.token_file", n.TokenFile, &s.Auth.Token}} {
		if f.path == "" {
			continue
		}
		text, err := config.ReadSecret(f.path)
		if err != nil {
			return s, usage("%s: %w", f.key, err)
		}
		*f.to = text.Reveal()
	}
	return s, nil
}

// dialNATS connects a command that somebody waits for.
func (a *app) dialNATS(ctx context.Context, flags *natsconn.Settings, cfg *config.Config, name string) (*natsconn.Conn, error) {
	log, err := a.logger(cfg)
	if err != nil {
		return nil, err
	}
	s, err := a.natsSettings(flags, cfg, log)
	if err != nil {
		return nil, err
	}
	nc, err := natsconn.Connect(ctx, s, "wxenrich "+name)
	if err != nil {
		return nil, connectFailed(err)
	}
	return nc, nil
}

// dialStreams is dialNATS for a command that is about streams. What the server
// says to it is for nc.Explain.
func (a *app) dialStreams(ctx context.Context, flags *natsconn.Settings, cfg *config.Config, name string) (nc *natsconn.Conn, js jetstream.JetStream, err error) {
	if nc, err = a.dialNATS(ctx, flags, cfg, name); err != nil {
		return nil, nil, err
	}
	if js, err = nc.JetStream(); err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

// connectFailed says what to do about a connection that was not made.
func connectFailed(err error) error {
	if fix := tlsFix(err); fix != "" {
		return failed("%w", err).hint("%s", fix)
	}
	if gone, ok := errors.AsType[*natsconn.NoServerError](err); ok {
		return failed("no NATS server at %s", gone.Where).
			hint("start one, or run \"wxenrich demo\", which has its own; --server or NATS_URL names another")
	}
	if errors.Is(err, nats.ErrAuthorization) {
		return failed("%w", err).hint("say who you are with --creds, --nkey, --user or --context, or their NATS_ variables")
	}
	return err
}

// tlsFix says what to do about a connection that failed over certificates; empty if
// another did. Neither the client nor crypto/tls has types for all of it.
func tlsFix(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "x509: "):
		return "--tlsca, NATS_CA or nats.tls_ca names the authority that the server's certificate is of; the certificate has to name the URL's host"
	case strings.Contains(text, "tls: "), strings.Contains(text, "tls error"):
		return "the server may want a certificate of whoever connects: --tlscert and --tlskey, NATS_CERT and NATS_KEY, or nats.tls_cert and nats.tls_key"
	}
	return ""
}

// absentStream says how to make a stream of the configuration that "wxenrich
// run" may not make.
func absentStream(err error, version string, cfg *config.Config, spec *events.StreamSpec) error {
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return missingStream(err, "", spec.Name, nil)
	}
	return failed("stream %s does not exist, and manage is %s", spec.Name, cfg.Manage).
		hint("%s", addStream(version, spec)).
		hint("\"wxenrich doctor\" names all that is missing; with \"manage: create\" it is made")
}

// missingStream says what to do when there is no stream for a subject, or none
// of a name; subjects is what it should listen to.
func missingStream(err error, what, name string, subjects []string) error {
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrStreamNotFound):
		return failed("%s", what).
			hint("\"wxenrich run\" creates it when it starts, with \"manage: create\"").
			hint("or: nats stream add %s --subjects %q --defaults", name, strings.Join(subjects, ","))
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return failed("JetStream is not on at this server, or not for this user: %w", err).
			hint("start it with \"nats-server --jetstream\"")
	}
	return err
}

// oneAccount is the account a command is about: the one that --appid names, else
// the only one there is.
func oneAccount(cfg *config.Config, appid string) (*config.Account, error) {
	switch {
	case appid != "":
		return cfg.Anyone(appid), nil
	case len(cfg.Accounts) == 1:
		return &cfg.Accounts[0], nil
	case len(cfg.Accounts) == 0:
		return nil, usage("--appid is missing, and the configuration has no account")
	}
	return nil, usage("--appid is missing: one of %s", strings.Join(cfg.AppIDs(), ", "))
}

// strange adds to an error, that nothing was found, that the account which
// --appid names is not one of the configuration's, if it is not.
func strange(cfg *config.Config, appid string, err *exitError) *exitError {
	if _, configured := cfg.ByAppID(appid); appid == "" || configured {
		return err
	}
	err.err = fmt.Errorf("%w, and account %s is not configured", err.err, appid)
	if known := cfg.AppIDs(); len(known) > 0 {
		err.hints = []string{"the configuration has " + strings.Join(known, ", ")}
	}
	return err
}

// inputSubjects is what a stream of the account's events has to listen to.
func inputSubjects(account *config.Account) []string {
	ownStream := strings.Contains(account.Input.Stream, "{appid}")
	var out []string
	for _, s := range account.Input.Subject {
		t, err := events.ParseTemplate(s, "appid")
		if err != nil {
			continue // Load has refused it
		}
		for _, subject := range t.StreamSubjects(ownStream, account.AppID) {
			if !slices.Contains(out, subject) {
				out = append(out, subject)
			}
		}
	}
	return out
}
