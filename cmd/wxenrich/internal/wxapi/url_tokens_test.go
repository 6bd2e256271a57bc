package wxapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
)

// tokenServer is an account whose token a handler hands out.
func tokenServer(t *testing.T, h http.HandlerFunc) *config.Account {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	a := config.NewAccount(appid)
	a.Token.Source, a.Token.URL = "url", s.URL
	return a
}

func tokens(t *testing.T, a *config.Account, o wxapi.Options) wechat.TokenSource {
	t.Helper()
	if o.Getenv == nil {
		o.Getenv = noEnv
	}
	source, err := wxapi.Tokens(a, o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestURLAnswers(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := start.Add(40 * time.Minute).Truncate(time.Second)
	for name, c := range map[string]struct {
		answer, tokenPath, expiresPath string
		want                           time.Duration // until the end, about
	}{
		"bare":         {answer: "tok\n", want: 2 * time.Hour},
		"seconds":      {answer: `{"access_token":"tok","expires_in":2400}`, want: 40 * time.Minute},
		"as text":      {answer: `{"access_token":"tok","expires_in":"2400"}`, want: 40 * time.Minute},
		"fraction":     {answer: `{"access_token":"tok","expires_in":2400.5}`, want: 40 * time.Minute},
		"unix":         {answer: fmt.Sprintf(`{"access_token":"tok","expires_in":%d}`, at.Unix()), want: 40 * time.Minute},
		"milliseconds": {answer: fmt.Sprintf(`{"access_token":"tok","expires_in":%d}`, at.UnixMilli()), want: 40 * time.Minute},
		"RFC 3339":     {answer: fmt.Sprintf(`{"access_token":"tok","expires_in":%q}`, at.UTC().Format(time.RFC3339)), want: 40 * time.Minute},
		"no end":       {answer: `{"access_token":"tok"}`, want: 2 * time.Hour},
		"null end":     {answer: `{"access_token":"tok","expires_in":null}`, want: 2 * time.Hour},
		"paths":        {answer: fmt.Sprintf(`{"data":{"tok.en":"no","t":"tok","till":%d}}`, at.Unix()), tokenPath: "data.t", expiresPath: "data.till", want: 40 * time.Minute},
	} {
		a := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.answer) })
		if c.tokenPath != "" {
			a.Token.TokenPath, a.Token.ExpiresPath = c.tokenPath, c.expiresPath
		}
		source := tokens(t, a, wxapi.Options{})
		token, err := source.Token(t.Context())
		if err != nil || token.Reveal() != "tok" {
			t.Errorf("%s: %q, %v", name, token.Reveal(), err)
			continue
		}
		end := source.(interface{ Current() wechat.Token }).Current().Expires
		if early, late := start.Add(c.want-2*time.Second), time.Now().Add(c.want+2*time.Second); end.Before(early) || end.After(late) {
			t.Errorf("%s: ends in %v, want about %v", name, time.Until(end), c.want)
		}
	}
}

func TestURLAsks(t *testing.T) {
	t.Parallel()
	var asked []http.Header
	a := tokenServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header)
		fmt.Fprint(w, "tok-", len(asked))
	})
	a.Token.AuthFile = filepath.Join(t.TempDir(), "auth")
	write(t, a.Token.AuthFile, "Bearer first\n")
	source := tokens(t, a, wxapi.Options{})
	first, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.Token.AuthFile, "Bearer second")
	source.Reject(first)
	if _, err := source.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("tok-1"))
	for i, want := range []map[string]string{
		{"Authorization": "Bearer first", "Wx-Rejected-Token-Sha256": "", "Wx-Appid": appid, "Accept": "application/json, text/plain", "User-Agent": "wxenrich"},
		{"Authorization": "Bearer second", "Wx-Rejected-Token-Sha256": hex.EncodeToString(sum[:])},
	} {
		for key, value := range want {
			if d := cmp.Diff(value, asked[i].Get(key)); d != "" {
				t.Errorf("question %d, %s: -want +got\n%s", i, key, d)
			}
		}
	}
}

func TestForeignTokensFail(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) config.Token {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://other/?key=hush")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return config.Token{Source: "url", URL: s.URL + "/?key=hush", TokenPath: "access_token", ExpiresPath: "expires_in"}
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	go func() { // a server that answers with the token and no HTTP
		for {
			c, err := raw.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "hush hush hush")
			c.Close()
		}
	}()
	authorized := func(file, env string) config.Token {
		token := answer(200, "tok")
		token.AuthFile, token.AuthEnv = file, env
		return token
	}
	odd := filepath.Join(t.TempDir(), "odd")
	write(t, odd, "Bearer\nhush")
	for name, c := range map[string]struct {
		source config.Token
		want   wechat.Class
		advice string // a part of it, of what a person has to mend
	}{
		"no file":        {config.Token{Source: "file", Path: "/no/such"}, wechat.Operator, "token.path"},
		"no variable":    {config.Token{Source: "static_env", Env: "NONE"}, wechat.Operator, "token.env"},
		"no auth file":   {authorized("/no/such", ""), wechat.Operator, "token.auth_file"},
		"no auth":        {authorized("", "NONE"), wechat.Operator, "token.auth_env"},
		"odd auth":       {authorized(odd, ""), wechat.Operator, "one line"},
		"refused":        {config.Token{Source: "url", URL: "http://127.0.0.1:1/?key=hush"}, wechat.Transient, ""},
		"no HTTP":        {config.Token{Source: "url", URL: "http://" + raw.Addr().String() + "/?key=hush"}, wechat.Transient, ""},
		"unauthorized":   {answer(401, "hush"), wechat.Operator, "token.auth_file"},
		"forbidden":      {answer(403, "hush"), wechat.Operator, "token.auth_file"},
		"no such page":   {answer(404, "hush"), wechat.Operator, "token.url"},
		"redirect":       {answer(302, ""), wechat.Operator, "redirect"},
		"too many":       {answer(429, "hush"), wechat.Transient, ""},
		"status":         {answer(500, "hush"), wechat.Transient, ""},
		"empty":          {answer(200, " \n"), wechat.Transient, ""},
		"html":           {answer(200, "<html>hush</html>"), wechat.Transient, ""},
		"too long":       {answer(200, strings.Repeat("hush", 2000)), wechat.Transient, ""},
		"not JSON":       {answer(200, "{hush"), wechat.Transient, ""},
		"a list":         {answer(200, `["hush"]`), wechat.Transient, ""},
		"no token":       {answer(200, `{"token":"hush"}`), wechat.Operator, "token.token_path"},
		"no text":        {answer(200, `{"access_token":{"value":"hush"}}`), wechat.Operator, "token.token_path"},
		"spaces in it":   {answer(200, `{"access_token":"hush hush"}`), wechat.Transient, ""},
		"no life":        {answer(200, `{"access_token":"hush","expires_in":0}`), wechat.Transient, ""},
		"negative life":  {answer(200, `{"access_token":"hush","expires_in":-5}`), wechat.Transient, ""},
		"over":           {answer(200, `{"access_token":"hush","expires_in":1500000000}`), wechat.Transient, ""},
		"life of a word": {answer(200, `{"access_token":"hush","expires_in":"soon"}`), wechat.Transient, ""},
		"endless":        {answer(200, `{"access_token":"hush","expires_in":1e99}`), wechat.Transient, ""},
	} {
		a := config.NewAccount(appid)
		a.Token = c.source
		source := tokens(t, a, wxapi.Options{})
		_, err := source.Token(t.Context())
		e, ok := errors.AsType[*wechat.Error](err)
		if !ok || e.Class != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
			continue
		}
		if c.advice != "" && !strings.Contains(e.Advice(), c.advice) {
			t.Errorf("%s: advice %q, want %q in it", name, e.Advice(), c.advice)
		}
		if text := fmt.Sprintf("%v %+v %#v", source, source, source); strings.Contains(text, "hush") {
			t.Errorf("%s: a secret is shown: %s", name, text)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), "hush") {
				t.Errorf("%s: a secret is shown: %v", name, e)
			}
		}
	}
}

func TestURLIsAskedOnceForAll(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	a := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "token-", asked.Add(1)) })
	source := tokens(t, a, wxapi.Options{})
	all := func(want wechat.Secret) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := source.Token(t.Context()); err != nil || got != want {
					t.Errorf("got %s, want %s, %v", got.Reveal(), want.Reveal(), err)
				}
			})
		}
		wg.Wait()
	}
	all("token-1")
	source.Reject("token-0") // somebody was slow: that one is gone anyway
	all("token-1")
	for range 50 {
		source.Reject("token-1")
	}
	all("token-2")
}

// A loop of rejections does not fall upon the server.
func TestURLIsAskedSeldom(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	a := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "token-", asked.Add(1)) })
	source := tokens(t, a, wxapi.Options{})
	start, n := time.Now(), 1000
	var last error
	for range n {
		token, err := source.Token(t.Context())
		source.Reject(token)
		if err != nil {
			last = err
		}
	}
	if most := 6 + int32(time.Since(start)/(5*time.Second)); asked.Load() > most {
		t.Errorf("asked %d times, want at most %d", asked.Load(), most)
	}
	if e, ok := errors.AsType[*wechat.Error](last); !ok || e.Class != wechat.Transient || e.After <= 0 {
		t.Errorf("%v, want Transient with a time to wait", last)
	}
}

func TestURLSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	a := tokenServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := tokens(t, a, wxapi.Options{}).Token(t.Context())
	if e, ok := errors.AsType[*wechat.Error](err); !ok || e.After != 17*time.Second || e.Status != 503 {
		t.Errorf("%v", err)
	}
}
