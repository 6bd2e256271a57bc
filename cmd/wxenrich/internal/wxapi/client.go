package wxapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// Options is what an account does not say.
type Options struct {
	Getenv    func(string) string   // os.Getenv, for secret_env, static_env and auth_env
	Transport http.RoundTripper     // nil: as proxy and ca_file say, and without them wechat's own, which all accounts share
	OnCall    func(wechat.CallInfo) // after each call, of data and of tokens; may be nil
	Brief     bool                  // see [wechat.Config]
	Log       *slog.Logger          // nil: nothing is logged
	Tracer    trace.TracerProvider  // makes spans of calls; nil: otel's global one
	State     jetstream.KeyValue    // where processes share a token by token.share; nil: they do not
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// API is an account's client.
type API struct {
	*wechat.Client

	// Renewed reports whether the account's secret or token has been replaced
	// where it is kept since it was last used or looked at. It never waits, and
	// is nil where that cannot be known.
	Renewed func() bool

	// TokenHint is what to do when WeChat refuses every token, where tokens come
	// from somebody else; else empty.
	TokenHint string

	tokens      *heedfulTokens
	early       bool         // a token may be fetched before it is needed
	readable    func() error // whether there is a secret to fetch one with; may be nil
	closeTokens func()       // may be nil
}

// Prepare gets a token before the first call needs it, and with it a connection.
// What is wrong with the secret or the address shows at the start then, and not with
// the first event at night. A classic token ends the one before, which others may
// use: that is left to whoever has something to ask, and only the secret is looked at.
func (a *API) Prepare(ctx context.Context) error {
	switch {
	case a.early:
		_, err := a.tokens.Token(ctx)
		return err
	case a.readable != nil:
		err := a.readable()
		a.tokens.heed(ctx, err)
		return err
	}
	return nil
}

// TokenFailing reports whether there was no token when one was wanted last.
func (a *API) TokenFailing() bool { return a.tokens.failing.Load() }

// Close ends what Renewed has begun, and waits for it. Whoever never calls
// Renewed need not call it.
func (a *API) Close() {
	if a.closeTokens != nil {
		a.closeTokens()
	}
}

// New makes the account's client. It fails only on a configuration that Load
// would have refused.
func New(a *config.Account, o Options) (*API, error) {
	s, err := newShared(a, o)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	source, err := s.tokens(a, o)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	tokens := &heedfulTokens{TokenSource: source}
	c, err := wechat.New(wechat.Config{
		AppID:     a.AppID,
		Tokens:    tokens,
		Hosts:     s.hosts,
		Transport: s.transport,
		Timeout:   a.Timeout.Std(),
		Overrides: s.overrides,
		OnCall:    o.OnCall,
		Brief:     o.Brief,

		TracerProvider: o.Tracer,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	api := &API{Client: c, TokenHint: tokenHint(a.Token.Source), tokens: tokens, early: a.Token.Source != "classic"}
	if r, ok := source.(interface{ Renewed() bool }); ok {
		api.Renewed = r.Renewed
	}
	if r, ok := source.(interface{ readable() error }); ok {
		api.readable = r.readable
	}
	if r, ok := source.(interface{ Close() }); ok {
		api.closeTokens = r.Close
	}
	return api, nil
}

// Tokens makes the account's source of tokens.
func Tokens(a *config.Account, o Options) (wechat.TokenSource, error) {
	s, err := newShared(a, o)
	if err != nil {
		return nil, err
	}
	return s.tokens(a, o)
}

func (s shared) tokens(a *config.Account, o Options) (wechat.TokenSource, error) {
	make := wechat.NewStableTokens
	switch a.Token.Source {
	case "stable":
	case "classic":
		make = wechat.NewClassicTokens
	case "file":
		return fileTokens(a.Token.Path), nil
	case "static_env":
		return envTokens(a.Token.Env, o.Getenv), nil
	case "url":
		return urlTokens(a, o), nil
	default:
		return nil, fmt.Errorf("unknown token.source %q", a.Token.Source)
	}
	share := o.share(a)
	return &secretTokens{
		read: func() (wechat.Secret, error) { return a.Secret(o.Getenv) },
		make: func(secret wechat.Secret) (*wechat.Tokens, error) {
			return make(wechat.TokenConfig{
				AppID: a.AppID, Secret: secret, Hosts: s.hosts, Transport: s.transport, Overrides: s.overrides,
				Share: share, OnCall: o.OnCall, TracerProvider: o.Tracer,
			})
		},
	}, nil
}

// tokenHint is what to do when WeChat refuses every token of a source.
func tokenHint(source string) string {
	switch source {
	case "url":
		return "the token server keeps giving a token that WeChat refuses: check that it fetches the token anew when it is told of a refused one, and that nobody else fetches tokens for this account"
	case "file":
		return fileAdvice
	case "static_env":
		return envAdvice
	}
	return ""
}

// Explain says in words what a failed call means and what to do about it; both
// are empty when the table of errcodes does not know.
func Explain(err error) (meaning, action string) {
	e, ok := errors.AsType[*wechat.Error](err)
	if !ok || e.Code == 0 {
		return "", ""
	}
	row, _ := e.Row()
	return row.Meaning, row.Action
}
