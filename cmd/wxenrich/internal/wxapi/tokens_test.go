package wxapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const appid = "wx0123456789abcdef"

// simulator serves one account with the secret "right".
func simulator(t *testing.T) (*wechattest.Account, *config.Account) {
	t.Helper()
	sim := wechattest.New()
	account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	a := config.NewAccount(appid)
	a.API = server.URL
	return account, a
}

func noEnv(string) string { return "" }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A secret may be missing, then wrong, then right: the same client lives
// through it all.
func TestSecretIsMendedWithoutARestart(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"stable", "classic"} {
		account, a := simulator(t)
		a.Token.Source = source
		a.SecretFile = filepath.Join(t.TempDir(), "secret")
		client, err := wxapi.New(a, wxapi.Options{Getenv: noEnv})
		if err != nil {
			t.Fatal(err)
		}
		get := func() error {
			_, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)})
			return err
		}
		for _, step := range []struct {
			secret string
			want   wechat.Class
		}{{"", wechat.Operator}, {"wrong\n", wechat.Operator}} {
			if step.secret != "" {
				write(t, a.SecretFile, step.secret)
			}
			err := get()
			if wechat.ClassOf(err) != step.want || strings.Contains(err.Error(), "wrong\n") {
				t.Errorf("%s: secret %q: %v", source, step.secret, err)
			}
		}
		if meaning, action := wxapi.Explain(get()); meaning != "app secret wrong" || action == "" {
			t.Errorf("%s: %q, %q", source, meaning, action)
		}
		write(t, a.SecretFile, "right\n")
		if err := get(); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestForeignTokens(t *testing.T) {
	t.Parallel()
	account, a := simulator(t)
	a.SecretEnv = "SECRET"
	mine, err := wxapi.Tokens(a, wxapi.Options{Getenv: func(string) string { return "right" }})
	if err != nil {
		t.Fatal(err)
	}
	token, err := mine.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, token.Reveal()+"\n")
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, token.Reveal()) }))
	t.Cleanup(bare.Close)
	object := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":7200}`, token.Reveal())
	}))
	t.Cleanup(object.Close)
	for name, source := range map[string]config.Token{
		"file":       {Source: "file", Path: file},
		"static_env": {Source: "static_env", Env: "TOKEN"},
		"bare":       {Source: "url", URL: bare.URL},
		"object":     {Source: "url", URL: object.URL + "?key=hush"},
	} {
		b := *a
		b.Token = source
		client, err := wxapi.New(&b, wxapi.Options{Getenv: func(string) string { return token.Reveal() }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForeignTokensFail(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://other/?key=hush")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL + "/?key=hush"
	}
	for name, c := range map[string]struct {
		source config.Token
		want   wechat.Class
	}{
		"no file":     {config.Token{Source: "file", Path: "/no/such"}, wechat.Operator},
		"no variable": {config.Token{Source: "static_env", Env: "NONE"}, wechat.Operator},
		"refused":     {config.Token{Source: "url", URL: "http://127.0.0.1:1/?key=hush"}, wechat.Transient},
		"status":      {config.Token{Source: "url", URL: answer(500, "hush")}, wechat.Transient},
		"redirect":    {config.Token{Source: "url", URL: answer(302, "")}, wechat.Transient},
		"empty":       {config.Token{Source: "url", URL: answer(200, " \n")}, wechat.Transient},
		"html":        {config.Token{Source: "url", URL: answer(200, "<html>hush</html>")}, wechat.Transient},
		"not JSON":    {config.Token{Source: "url", URL: answer(200, "{hush")}, wechat.Transient},
		"no token":    {config.Token{Source: "url", URL: answer(200, `{"token":"hush"}`)}, wechat.Transient},
	} {
		a := config.NewAccount(appid)
		a.Token = c.source
		tokens, err := wxapi.Tokens(a, wxapi.Options{Getenv: noEnv})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tokens.Token(t.Context())
		if wechat.ClassOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if text := fmt.Sprintf("%v %+v %#v", tokens, tokens, tokens); strings.Contains(text, "hush") {
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
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "token-", asked.Add(1))
	}))
	t.Cleanup(s.Close)
	a := config.NewAccount(appid)
	a.Token = config.Token{Source: "url", URL: s.URL}
	tokens, err := wxapi.Tokens(a, wxapi.Options{Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	all := func(want wechat.Secret) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := tokens.Token(t.Context()); err != nil || got != want {
					t.Errorf("got %s, want %s, %v", got.Reveal(), want.Reveal(), err)
				}
			})
		}
		wg.Wait()
	}
	all("token-1")
	tokens.Reject("token-0") // somebody was slow: that one is gone anyway
	all("token-1")
	for range 50 {
		tokens.Reject("token-1")
	}
	all("token-2")
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("x"), &wechat.Error{Status: 502}, &wechat.Error{Code: 123456}} {
		if meaning, action := wxapi.Explain(err); meaning != "" || action != "" {
			t.Errorf("%v: %q, %q", err, meaning, action)
		}
	}
	data := &wechat.Error{Op: "user/info", Code: 40001}
	login := &wechat.Error{Op: "stable_token", Code: 40001}
	d, _ := wxapi.Explain(data)
	l, _ := wxapi.Explain(login)
	if d == l {
		t.Errorf("40001 is %q of both kinds of endpoint", d)
	}
}

func TestUnknownSource(t *testing.T) {
	t.Parallel()
	a := config.NewAccount(appid)
	a.Token.Source = "oracle"
	if _, err := wxapi.New(a, wxapi.Options{}); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Error(err)
	}
}
