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
	Transport http.RoundTripper // as in [Config]
	Timeout   time.Duration     // of a fetch; default 10 s
	UserAgent string            // as in [Config]

	OnCall         func(CallInfo)       // as in [Config]
	TracerProvider trace.TracerProvider // as in [Config]
}

// NewStableTokens returns tokens from stable_token in normal mode: all
// processes of an account get the same token, so they need no shared cache. A
// forced refresh, which would take it from the others, is never asked for.
func NewStableTokens(cfg TokenConfig) (*Tokens, error) {
	return newTokens(cfg, stableSpacing, func(secret Secret) call {
		body := appendString([]byte(`{"grant_type":"client_credential","appid":`), cfg.AppID)
		body = appendString(append(body, `,"secret":`...), secret.Reveal())
		return call{method: http.MethodPost, op: "stable_token", body: append(body, '}')}
	})
}

// NewClassicTokens returns tokens from the older endpoint, where every fetch
// ends the life of the token before it within five minutes: one process of an
// account only, or they take the token from each other for ever.
func NewClassicTokens(cfg TokenConfig) (*Tokens, error) {
	return newTokens(cfg, classicSpacing, func(secret Secret) call {
		return call{method: http.MethodGet, op: "token", query: "grant_type=client_credential&appid=" +
			url.QueryEscape(cfg.AppID) + "&secret=" + url.QueryEscape(secret.Reveal())}
	})
}

func newTokens(cfg TokenConfig, spacing time.Duration, request func(Secret) call) (*Tokens, error) {
	t := &Tokens{
		request: request,
		wire:    wire{timeout: cfg.Timeout, maxBody: 1 << 20, userAgent: cfg.UserAgent, onCall: cfg.OnCall},
		slot:    make(chan struct{}, 1),
		secret:  cfg.Secret,
		budget:  budget{spacing: spacing, burst: fetchBurst},
	}
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
		t.wire.timeout = 10 * time.Second
	}
	if err := t.wire.init(cfg.BaseURL, cfg.Transport, cfg.TracerProvider); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("wechat: token config: %w", errors.Join(faults...))
	}
	return t, nil
}

// tokenFields reads the answer of both endpoints.
func tokenFields(value *Secret, seconds *int64) func(string, *cursor) {
	return func(key string, c *cursor) {
		switch key {
		case "access_token":
			*value = Secret(text(c.raw()))
		case "expires_in":
			*seconds = integer(c.raw())
		}
	}
}
