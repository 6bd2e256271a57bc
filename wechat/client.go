package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// DefaultBaseURL is WeChat's general host; api2 (for disasters), sh.api, sz.api
// and hk.api serve the same (Interface_field_description). See [Hosts].
const DefaultBaseURL = "https://api.weixin.qq.com"

// Config is what a client needs.
type Config struct {
	AppID     string            // the account; required
	Tokens    TokenSource       // of this account; required
	BaseURL   string            // scheme, host and perhaps a path; default [DefaultBaseURL]
	Hosts     *Hosts            // instead of BaseURL: several to choose from, shared with the account's tokens
	Transport http.RoundTripper // default: one like [NewTransport]'s, shared by all clients
	Timeout   time.Duration     // of a call, its token not counted; default 20 s
	MaxBody   int64             // largest answer in bytes; default 4 MiB
	UserAgent string            // default "wxenrich"
	Overrides Overrides         // of the table of errcodes; not to be changed afterwards
	// Brief has the rows of batches hold Subscribe, OpenID, UnionID, SubscribeTime
	// and Raw only, for those who hand Raw on: less to read and to allocate.
	Brief bool

	OnCall         func(CallInfo)       // called after every call, at once, by many goroutines; may be nil
	TracerProvider trace.TracerProvider // default: the global one
}

// TokenSource hands out one account's access token.
type TokenSource interface {
	// Token returns a token that is believed valid. It may fetch one. A
	// failure to fetch is an *Error whose Op names the token's endpoint.
	Token(ctx context.Context) (Secret, error)
	// Reject says that a call with this token was refused. A token that is
	// not the current one any more is no news, so that a thousand refused
	// calls cost one fetch.
	Reject(token Secret)
}

// Client calls the API for one account. Its methods make one attempt each.
type Client struct {
	appID  string
	tokens TokenSource
	brief  bool
	wire   wire
}

// New returns a client, or an error that joins all faults of cfg.
func New(cfg Config) (*Client, error) {
	c := &Client{appID: cfg.AppID, tokens: cfg.Tokens, brief: cfg.Brief, wire: wire{
		hosts: cfg.Hosts, timeout: cfg.Timeout, maxBody: cfg.MaxBody, userAgent: cfg.UserAgent, onCall: cfg.OnCall, overrides: cfg.Overrides,
	}}
	var faults []error
	if cfg.AppID == "" {
		faults = append(faults, errors.New("AppID: missing"))
	}
	if cfg.Tokens == nil {
		faults = append(faults, errors.New("Tokens: missing"))
	}
	if cfg.Timeout < 0 {
		faults = append(faults, fmt.Errorf("Timeout: %v is negative", cfg.Timeout))
	} else if cfg.Timeout == 0 {
		c.wire.timeout = 20 * time.Second
	}
	if cfg.MaxBody < 0 {
		faults = append(faults, fmt.Errorf("MaxBody: %d is negative", cfg.MaxBody))
	} else if cfg.MaxBody == 0 {
		c.wire.maxBody = 4 << 20
	}
	if err := c.wire.init(cfg.BaseURL, cfg.Transport, cfg.TracerProvider); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("wechat: config: %w", errors.Join(faults...))
	}
	return c, nil
}

// AppID returns the account that the client calls for.
func (c *Client) AppID() string { return c.appID }

// data makes a data call with the current token, and gives a token that is
// answered with StaleToken back as rejected.
func (c *Client) data(ctx context.Context, req call, field func(string, *cursor)) (string, error) {
	token, err := c.tokens.Token(ctx)
	if err != nil {
		return "", err
	}
	noteToken(ctx, token)
	req.kind = Data
	req.hide = secrets{token.Reveal()}
	req.query = "access_token=" + url.QueryEscape(token.Reveal()) + req.query
	doc, err := c.wire.do(ctx, req, field)
	if err != nil && ClassOf(err) == StaleToken {
		c.tokens.Reject(token)
	}
	return doc, err
}

// Format prints the account only: the fields below hold a transport and a
// token source that are not ours to print.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "wechat.Client(%s)", c.appID) }
