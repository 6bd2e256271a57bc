package wechat_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wxenrich/wxenrich/wechat"
)

// The canaries have a character that a query escapes.
const (
	canaryToken  = "CANARYTOKEN/87+abcdefghijklmnopqrstuvwxyz"
	canarySecret = "CANARYSECRET/5f+4dcc3b5aa765d61d8327deb882"
)

// failures are the ways in which a server fails while it shows what it was
// asked.
var failures = map[string]http.HandlerFunc{
	"hang":  func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
	"reset": func(w http.ResponseWriter, r *http.Request) { raw(w, "", true) },
	"close": func(w http.ResponseWriter, r *http.Request) { raw(w, "", false) },
	"500":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); io.WriteString(w, echo(r)) },
	"reason": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 500 "+echo(r)+"\r\nContent-Length: 0\r\n\r\n", false)
	},
	"malformed status": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 "+strings.ReplaceAll(echo(r), " ", "")+" x\r\n\r\n", false)
	},
	"malformed header": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 200 OK\r\n"+strings.ReplaceAll(echo(r), ":", "")+"\r\n\r\n", false)
	},
	"malformed length": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 200 OK\r\nContent-Length: "+echo(r)+"\r\n\r\n", false)
	},
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere?"+r.URL.RawQuery)
		w.WriteHeader(302)
	},
	"malformed redirect": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 302 Found\r\nLocation: http://%zz/?"+r.URL.RawQuery+"&x="+canary(r)+"\r\n\r\n", false)
	},
	"truncated": func(w http.ResponseWriter, r *http.Request) {
		raw(w, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"+echo(r), false)
	},
	"HTML":     func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>"+echo(r)) },
	"errmsg":   errmsg(func(r *http.Request) (int, string) { return 40001, echo(r) }),
	"rid":      errmsg(func(r *http.Request) (int, string) { return 40003, "x rid: " + canary(r) }),
	"split":    errmsg(func(r *http.Request) (int, string) { return -1, halves(canary(r)) }),
	"cut":      errmsg(func(r *http.Request) (int, string) { return 1, strings.Repeat("x", 180) + canary(r) }),
	"escaped":  errmsg(func(r *http.Request) (int, string) { return 1, url.QueryEscape(canary(r)) }),
	"400":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); errmsg(code45009)(w, r) },
	"no token": func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"echo":%q}`, echo(r)) },
}

func code45009(r *http.Request) (int, string) { return 45009, echo(r) }

func halves(s string) string { return s[:10] + "hint: [x]" + s[10:] }

// canary returns the token or the secret that a request carries.
func canary(r *http.Request) string {
	if strings.HasSuffix(r.URL.Path, "token") {
		return canarySecret
	}
	return canaryToken
}

// echo is all that a server could repeat, in one line.
func echo(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("%s %v %s %s", r.URL, r.URL.Query(), body, canary(r))
}

func errmsg(f func(*http.Request) (int, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code, msg := f(r)
		json.NewEncoder(w).Encode(map[string]any{"errcode": code, "errmsg": msg})
	}
}

// raw writes to the connection and ends it, with a TCP reset if told so.
func raw(w http.ResponseWriter, text string, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if reset {
		conn.(*net.TCPConn).SetLinger(0)
	}
	io.WriteString(conn, text)
}

// talkative is a transport whose errors tell everything, on several levels.
type talkative struct{}

func (talkative) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := &url.Error{Op: "Proxy", URL: r.URL.String(), Err: fieldError{URL: r.URL.String()}}
	return nil, fmt.Errorf("dial: %w", errors.Join(inner, fmt.Errorf("%s: %w", canary(r), context.DeadlineExceeded)))
}

// quiet is a transport whose error tells nothing, but holds everything.
type quiet struct{}

func (quiet) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("dial: %w", errors.Join(errors.New("x"), fmt.Errorf("y: %w", &fieldError{URL: r.URL.String() + canary(r)})))
}

type fieldError struct{ URL string }

func (fieldError) Error() string { return "no route" }

// TestNothingLeaks calls every method against every failure, and looks for the
// token and the secret wherever they could come out.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	type target struct {
		base string
		rt   http.RoundTripper
	}
	targets := map[string]target{
		"talkative transport": {"http://127.0.0.1", talkative{}},
		"quiet transport":     {"http://127.0.0.1", quiet{}},
		"refused":             {"http://127.0.0.1:1", nil},
		"no such host":        {"http://host.invalid", nil},
		"proxy refuses":       {"https://host.invalid", &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})}},
	}
	for name, h := range failures {
		srv := httptest.NewUnstartedServer(h)
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.Start()
		t.Cleanup(srv.Close)
		targets[name] = target{srv.URL, nil}
		if name == "500" {
			targets["TLS to a plain server"] = target{"https" + strings.TrimPrefix(srv.URL, "http"), nil}
		}
	}
	secure := httptest.NewUnstartedServer(failures["500"])
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	targets["unknown authority"] = target{secure.URL, nil}

	for name, to := range targets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatch(t)
			tc := wechat.TokenConfig{AppID: appid, Secret: canarySecret, BaseURL: to.base, Transport: to.rt,
				Timeout: 100 * time.Millisecond, OnCall: w.call, TracerProvider: w.provider}
			stable, err := wechat.NewStableTokens(tc)
			if err != nil {
				t.Fatal(err)
			}
			classic, err := wechat.NewClassicTokens(tc)
			if err != nil {
				t.Fatal(err)
			}
			config := wechat.Config{AppID: appid, Tokens: &fixedToken{token: canaryToken}, BaseURL: to.base, Transport: to.rt,
				Timeout: 100 * time.Millisecond, OnCall: w.call, TracerProvider: w.provider}
			client, err := wechat.New(config)
			if err != nil {
				t.Fatal(err)
			}
			config.Tokens = stable
			tokenless, err := wechat.New(config)
			if err != nil {
				t.Fatal(err)
			}
			for method, err := range map[string]error{
				"BatchGet":           second(client.BatchGet(t.Context(), someQueries(100))),
				"UserInfo":           second(client.UserInfo(t.Context(), someQueries(1)[0])),
				"Followers":          second(client.Followers(t.Context(), "oA")),
				"Quota":              second(client.Quota(t.Context(), "/cgi-bin/user/info")),
				"stable Token":       second(stable.Token(t.Context())),
				"classic Token":      second(classic.Token(t.Context())),
				"BatchGet's Token":   second(tokenless.BatchGet(t.Context(), someQueries(1))),
				"UserInfo cancelled": second(client.UserInfo(cancelled(t), someQueries(1)[0])),
			} {
				if err == nil && !(name == "no token" && !strings.Contains(method, "Token") && method != "BatchGet") {
					t.Errorf("%s: no error", method)
				} else if err != nil {
					w.error(method, err)
				}
			}
			config.Transport, config.TracerProvider, config.OnCall = nil, nil, nil // fmt would read what others write
			tc.Transport, tc.TracerProvider, tc.OnCall = nil, nil, nil
			w.values(config, tc, client, stable, classic)
			w.spans()
		})
	}
}

func second[T any](_ T, err error) error { return err }

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// watch looks at everything that comes out.
type watch struct {
	t        *testing.T
	provider *sdktrace.TracerProvider
	recorder *tracetest.SpanRecorder
}

func newWatch(t *testing.T) *watch {
	r := tracetest.NewSpanRecorder()
	return &watch{t: t, recorder: r, provider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))}
}

func (w *watch) text(where, text string) {
	w.t.Helper()
	for _, canary := range []string{canaryToken, canarySecret} {
		for _, form := range []string{canary, url.QueryEscape(canary), canary[:16], canary[len(canary)-12:]} {
			if strings.Contains(text, form) {
				w.t.Errorf("%s shows %s: %.300s", where, form, text)
				return
			}
		}
	}
}

func (w *watch) values(values ...any) {
	w.t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			w.text(fmt.Sprintf("%T with %s", v, verb), fmt.Sprintf(verb, v))
		}
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Error("x", "value", v)
		}
		w.text(fmt.Sprintf("%T in a log", v), out.String())
		if b, err := json.Marshal(v); err == nil {
			w.text(fmt.Sprintf("%T as JSON", v), string(b))
		}
	}
}

func (w *watch) error(method string, err error) {
	w.t.Helper()
	if _, ok := errors.AsType[*wechat.Error](err); !ok {
		w.t.Errorf("%s: %T, want *wechat.Error", method, err)
	}
	if u, ok := errors.AsType[*url.Error](err); ok && strings.Contains(u.URL, "?") {
		w.t.Errorf("%s: %v is in reach", method, u)
	}
	w.chain(err)
}

func (w *watch) chain(err error) {
	w.t.Helper()
	w.values(err)
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			w.chain(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			w.chain(inner)
		}
	}
}

func (w *watch) call(info wechat.CallInfo) { w.values(info) }

func (w *watch) spans() {
	spans := tracetest.SpanStubsFromReadOnlySpans(w.recorder.Ended())
	if len(spans) < 8 {
		w.t.Errorf("%d spans, want one for each of 8 calls", len(spans))
	}
	for _, s := range spans {
		w.text("span "+s.Name, fmt.Sprintf("%+v", s))
		for _, a := range s.Attributes {
			if a.Key == "url.query" || a.Key == "url.full" && strings.Contains(a.Value.AsString(), "?") {
				w.t.Errorf("span %s has a query in %s", s.Name, a.Key)
			}
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	w := newWatch(t)
	s := wechat.Secret(canarySecret)
	w.values(s, &s, []wechat.Secret{s}, map[string]wechat.Secret{"a": s}, struct{ S wechat.Secret }{s}, wechat.Token{Value: s})
	if s.Reveal() != canarySecret {
		t.Error("Reveal does not reveal")
	}
}
