package wxapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// Options is what an account does not say.
type Options struct {
	Getenv    func(string) string   // os.Getenv, for secret_env and static_env
	Transport http.RoundTripper     // nil: wechat's own, which all accounts share
	OnCall    func(wechat.CallInfo) // after each call, of data and of tokens; may be nil
}

// New makes the account's client. It fails only on a configuration that Load
// would have refused.
func New(a *config.Account, o Options) (*wechat.Client, error) {
	tokens, err := Tokens(a, o)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	c, err := wechat.New(wechat.Config{
		AppID:     a.AppID,
		Tokens:    tokens,
		BaseURL:   a.API,
		Transport: o.Transport,
		Timeout:   a.Timeout.Std(),
		OnCall:    o.OnCall,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.AppID, err)
	}
	return c, nil
}

// Tokens makes the account's source of tokens.
func Tokens(a *config.Account, o Options) (wechat.TokenSource, error) {
	make := wechat.NewStableTokens
	switch a.Token.Source {
	case "stable":
	case "classic":
		make = wechat.NewClassicTokens
	case "file":
		return fileTokens(a.Token.Path), nil
	case "static_env":
		return envTokens{a.Token.Env, o.Getenv}, nil
	case "url":
		return newURLTokens(a.Token.URL, o.Transport), nil
	default:
		return nil, fmt.Errorf("unknown token.source %q", a.Token.Source)
	}
	return &secretTokens{
		read: func() (wechat.Secret, error) { return a.Secret(o.Getenv) },
		make: func(secret wechat.Secret) (*wechat.Tokens, error) {
			return make(wechat.TokenConfig{AppID: a.AppID, Secret: secret, BaseURL: a.API, Transport: o.Transport, OnCall: o.OnCall})
		},
	}, nil
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
