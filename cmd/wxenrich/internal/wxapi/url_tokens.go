package wxapi

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// The headers of the question, beside Authorization. deploy/docs/token-url.md
// is the protocol.
const (
	headerAppID    = "Wx-Appid"
	headerRejected = "Wx-Rejected-Token-Sha256"
)

const (
	// urlTimeout is for one GET of the token.
	urlTimeout = 10 * time.Second

	// urlBody is far more than a token.
	urlBody = 64 << 10

	// urlWish is the longest Retry-After that is believed.
	urlWish = time.Hour
)

const urlOp = "token url"

// tokenURL asks a server of the user's for the token.
type tokenURL struct {
	appid  string
	url    string
	auth   func() (wechat.Secret, error) // the value of Authorization; empty for none
	answer tokenAnswer
	client http.Client
	log    *slog.Logger
}

func urlTokens(a *config.Account, o Options) *lookingTokens {
	u := &tokenURL{
		appid:  a.AppID,
		url:    a.Token.URL,
		auth:   func() (wechat.Secret, error) { return a.Token.Authorization(o.Getenv) },
		answer: tokenAnswer{a.Token.TokenPath, a.Token.ExpiresPath},
		client: http.Client{
			Transport: o.Transport,
			Timeout:   urlTimeout,
			// A redirect could take the query, which may hold a key, to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		log: o.log(),
	}
	return newLookingTokens(wechat.NewTokens(urlOp, u.fetch))
}

func (u *tokenURL) fetch(ctx context.Context, w wechat.Wanted) (wechat.Token, error) {
	req, err := u.request(ctx, w.Rejected)
	if err != nil {
		return wechat.Token{}, err
	}
	asked := time.Now() // before the question, so that a life is never too long
	resp, err := u.client.Do(req)
	if err != nil {
		return wechat.Token{}, transient(0, unreachable(ctx, err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, urlBody))
	if resp.StatusCode != http.StatusOK {
		return wechat.Token{}, refusal(resp)
	}
	if err != nil {
		return wechat.Token{}, transient(resp.StatusCode, unreachable(ctx, err))
	}
	token, err := u.answer.parse(body, asked)
	if errors.Is(err, errNoToken) {
		return wechat.Token{}, operator(urlOp, "compare token.token_path with what the token server answers", err)
	}
	if err != nil {
		return wechat.Token{}, transient(resp.StatusCode, err)
	}
	return token, nil
}

func (u *tokenURL) request(ctx context.Context, rejected wechat.Secret) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url, nil)
	if err != nil {
		return nil, operator(urlOp, "set token.url to the token server's URL", errors.New("not a URL"))
	}
	req.Header.Set("Accept", "application/json, text/plain")
	req.Header.Set("User-Agent", "wxenrich")
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set(headerAppID, u.appid)
	auth, err := u.auth()
	if err != nil {
		return nil, unreadable(urlOp, "give token.auth_file or token.auth_env what the token server wants as Authorization", err)
	}
	if strings.IndexFunc(auth.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return nil, operator(urlOp, "want one line of token.auth_file or token.auth_env, such as: Bearer abc", errors.New("the authorization is no header's value"))
	}
	if auth != "" {
		req.Header.Set("Authorization", auth.Reveal())
	}
	if rejected != "" {
		// The hash says which token is meant to whoever has it, and gives it to nobody.
		sum := sha256.Sum256([]byte(rejected.Reveal()))
		hash := hex.EncodeToString(sum[:])
		req.Header.Set(headerRejected, hash)
		u.log.LogAttrs(ctx, slog.LevelDebug, "the token server is told of a rejected token",
			slog.String("appid", u.appid), slog.String("sha256", hash[:8]))
	}
	return req, nil
}

// refusal is an answer whose status is not 200. Its body is not shown: it may
// hold anything.
func refusal(resp *http.Response) error {
	status := resp.StatusCode
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return withStatus(operator(urlOp, "compare token.auth_file or token.auth_env with what the token server wants as Authorization",
			errors.New("the token server refuses the authorization")), status)
	case status/100 == 3:
		return withStatus(operator(urlOp, "set token.url to where the redirect leads", errors.New("the token server redirects, which is not followed")), status)
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
		return withStatus(operator(urlOp, "check token.url, and the token server's own log", errors.New("the token server refuses the question")), status)
	}
	e := transient(status, errors.New("the token server has no token now"))
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = min(time.Duration(min(s, 1<<20))*time.Second, urlWish)
	}
	return e
}

func withStatus(err error, status int) error {
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		e.Status = status
	}
	return err
}

func transient(status int, err error) *wechat.Error {
	return &wechat.Error{Op: urlOp, Class: wechat.Transient, Status: status, Err: err}
}

// unreachable is why there is no answer. Only kinds of errors are shown that
// hold an address at most: others repeat the URL, or what the server sent.
func unreachable(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return fmt.Errorf("no answer: %w", end)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return op
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return cert
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	}
	return errors.New("the connection broke, or the answer is not HTTP")
}
