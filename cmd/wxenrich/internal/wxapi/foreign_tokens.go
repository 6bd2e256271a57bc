package wxapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// fileTokens reads a file that somebody else keeps fresh. It is read for each
// call, so there is nothing to reject.
type fileTokens string

func (f fileTokens) Token(context.Context) (wechat.Secret, error) {
	token, err := config.ReadSecret(string(f))
	if err != nil {
		return "", operator("token file", err)
	}
	return token, nil
}

func (f fileTokens) Reject(wechat.Secret) {}

// envTokens is one token for the life of the process, for tests and one-off
// look-ups: it is good for two hours.
type envTokens struct {
	name   string
	getenv func(string) string
}

func (e envTokens) Token(context.Context) (wechat.Secret, error) {
	if token := strings.TrimSpace(e.getenv(e.name)); token != "" {
		return wechat.Secret(token), nil
	}
	return "", operator("token variable", fmt.Errorf("%s is not set", e.name))
}

func (e envTokens) Reject(wechat.Secret) {}

const (
	// urlTimeout is for one GET of the token.
	urlTimeout = 10 * time.Second

	// urlAhead is how long before its end a token is asked for again: WeChat keeps
	// the old one for five minutes after a refresh.
	urlAhead = 5 * time.Minute

	// urlBlind is how long a token is kept whose end nobody says. A stale one is
	// rejected anyway.
	urlBlind = time.Minute

	// urlBody is far more than a token.
	urlBody = 64 << 10
)

// urlTokens asks a server of the user's for the token, once for all that wait.
// It is safe for concurrent use.
type urlTokens struct {
	url    string
	client http.Client
	slot   chan struct{} // held across a fetch, so that waiters can leave with their context

	mu    sync.Mutex
	token wechat.Secret
	until time.Time
}

func newURLTokens(address string, transport http.RoundTripper) *urlTokens {
	return &urlTokens{url: address, slot: make(chan struct{}, 1), client: http.Client{
		Transport: transport,
		Timeout:   urlTimeout,
		// A redirect could take the query, which may hold a key, to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (t *urlTokens) Token(ctx context.Context) (wechat.Secret, error) {
	if token := t.known(); token != "" {
		return token, nil
	}
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if token := t.known(); token != "" { // somebody else has fetched it meanwhile
		return token, nil
	}
	token, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.until = token, time.Now().Add(life)
	return token, nil
}

func (t *urlTokens) Reject(token wechat.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

func (t *urlTokens) known() wechat.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) {
		return t.token
	}
	return ""
}

func (t *urlTokens) fetch(ctx context.Context) (token wechat.Secret, life time.Duration, err error) {
	fail := func(status int, err error) (wechat.Secret, time.Duration, error) {
		return "", 0, &wechat.Error{Op: "token url", Class: wechat.Transient, Status: status, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return "", 0, operator("token url", errors.New("not a URL"))
	}
	resp, err := t.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the rest is the URL, which may hold a key
		}
		return fail(0, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, urlBody))
	switch {
	case err != nil:
		return fail(resp.StatusCode, err)
	case resp.StatusCode != http.StatusOK:
		return fail(resp.StatusCode, nil)
	}
	answer := struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"` // seconds
	}{Token: strings.TrimSpace(string(body))}
	if strings.HasPrefix(answer.Token, "{") {
		answer.Token = ""
		if err := json.Unmarshal(body, &answer); err != nil {
			return fail(resp.StatusCode, errors.New("the answer is not JSON"))
		}
	}
	if answer.Token == "" || strings.ContainsAny(answer.Token, " \t\r\n<>") {
		return fail(resp.StatusCode, errors.New("the answer holds no token"))
	}
	return wechat.Secret(answer.Token), max(time.Duration(answer.Expires)*time.Second-urlAhead, urlBlind), nil
}

// Format prints no field: fmt would print the secret among them.
func (envTokens) Format(f fmt.State, _ rune) { io.WriteString(f, "wxapi.envTokens") }

// Format prints no field: fmt would print the secret among them.
func (*urlTokens) Format(f fmt.State, _ rune) { io.WriteString(f, "wxapi.urlTokens") }
