package wechat

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// TokenConfig is what it takes to fetch an account's token.
type TokenConfig struct {
	AppID  string // required
	Secret Secret // the app secret; required

	BaseURL   string            // as in [Config]
	Hosts     *Hosts            // as in [Config]
	Transport http.RoundTripper // as in [Config]
	Timeout   time.Duration     // of a fetch; default 10 s
	UserAgent string            // as in [Config]
	Overrides Overrides         // as in [Config]
	Share     Share             // how processes of this account share a token; default: they do not

	OnCall         func(CallInfo)       // as in [Config]
	TracerProvider trace.TracerProvider // as in [Config]
}

// NewStableTokens returns tokens from stable_token in normal mode: all
// processes of an account get the same token, so they need no shared cache. A
// forced refresh, which would take it from the others, is never asked for.
func NewStableTokens(cfg TokenConfig) (*Tokens, error) {
	return newTokens(cfg, "stable_token", stableSpacing, func(secret Secret) call {
		body := appendString([]byte(`{"grant_type":"client_credential","appid":`), cfg.AppID)
		body = appendString(append(body, `,"secret":`...), secret.Reveal())
		return call{method: http.MethodPost, op: "stable_token", body: append(body, '}')}
	})
}

// NewClassicTokens returns tokens from the older endpoint, where every fetch
// ends the life of the token before it within five minutes: one process of an
// account only, or a [Share] between them, else they take the token from each
// other for ever.
func NewClassicTokens(cfg TokenConfig) (*Tokens, error) {
	return newTokens(cfg, "token", classicSpacing, func(secret Secret) call {
		return call{method: http.MethodGet, op: "token", query: "grant_type=client_credential&appid=" +
			url.QueryEscape(cfg.AppID) + "&secret=" + url.QueryEscape(secret.Reveal())}
	})
}

func newTokens(cfg TokenConfig, op string, spacing time.Duration, request func(Secret) call) (*Tokens, error) {
	e := &endpoint{request: request, wire: wire{hosts: cfg.Hosts, timeout: cfg.Timeout, maxBody: 1 << 20, userAgent: cfg.UserAgent, onCall: cfg.OnCall, overrides: cfg.Overrides}}
	t := NewTokens(op, e.fetch)
	t.share, t.secret, t.budget.spacing = cfg.Share, cfg.Secret, spacing
	var faults []error
	if cfg.AppID == "" {
		faults = append(faults, errors.New("AppID: missing"))
	}
	if cfg.Secret == "" {
		faults = append(faults, errors.New("Secret: missing"))
	}
	if cfg.Timeout < 0 {
		faults = append(faults, fmt.Errorf("Timeout: %v is negative", cfg.Timeout))
	} else if cfg.Timeout == 0 {
		e.wire.timeout = 10 * time.Second
	}
	if err := e.wire.init(cfg.BaseURL, cfg.Transport, cfg.TracerProvider); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("wechat: token config: %w", errors.Join(faults...))
	}
	return t, nil
}
