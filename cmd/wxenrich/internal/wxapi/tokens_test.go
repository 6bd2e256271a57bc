package wxapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		"object":     {Source: "url", URL: object.URL + "?key=hush", TokenPath: "access_token", ExpiresPath: "expires_in"},
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

// A kept token that has been refused is not tried again at once; another one is.
func TestKeptTokenIsRefused(t *testing.T) {
	t.Parallel()
	account, a := simulator(t)
	a.Token = config.Token{Source: "file", Path: filepath.Join(t.TempDir(), "token")}
	write(t, a.Token.Path, "of yesterday")
	client, err := wxapi.New(a, wxapi.Options{Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	get := func() wechat.Class {
		_, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)})
		return wechat.ClassOf(err)
	}
	if got := get(); got != wechat.StaleToken {
		t.Errorf("a wrong token: %v", got)
	}
	if got := get(); got != wechat.Transient {
		t.Errorf("the same wrong token: %v", got)
	}
	if n := account.Stats().Calls["user/info"]; n > 1 {
		t.Errorf("%d calls with the wrong token", n)
	}
	if client.Renewed() {
		t.Error("the same token counts as a new one")
	}
	write(t, a.Token.Path, "of today, as wrong")
	if !client.Renewed() || client.Renewed() {
		t.Error("a new token is not reported once")
	}
	if got := get(); got != wechat.StaleToken {
		t.Errorf("another token: %v", got)
	}
}

// WeChat may refuse a good token once; nobody writes another for that.
func TestKeptTokenIsTriedAgain(t *testing.T) {
	t.Parallel()
	a := config.NewAccount(appid)
	a.Token = config.Token{Source: "static_env", Env: "TOKEN"}
	synctest.Test(t, func(t *testing.T) {
		source := tokens(t, a, wxapi.Options{Getenv: func(string) string { return "kept" }})
		for range 3 {
			for _, refusal := range []struct {
				class wechat.Class
				rest  time.Duration
			}{{wechat.Transient, time.Second}, {wechat.Operator, time.Minute}, {wechat.Operator, time.Minute}} {
				token, err := source.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for range 4 { // in flight together
					source.Reject(token)
				}
				time.Sleep(refusal.rest - time.Millisecond)
				if _, err := source.Token(t.Context()); wechat.ClassOf(err) != refusal.class {
					t.Errorf("%v after: %v, want %v", refusal.rest, err, refusal.class)
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// A replica that starts into a hold reads its credentials there for the first
// time: that is no reason to try the account.
func TestFirstReadIsNotNew(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"stable", "classic", "file"} {
		_, a := simulator(t)
		a.Token.Source = source
		path := filepath.Join(t.TempDir(), "secret")
		a.SecretFile, a.Token.Path = path, path
		write(t, path, "first")
		missing, present := newAPI(t, a), newAPI(t, a)
		for range 2 {
			if present.Renewed() {
				t.Errorf("%s: the first one counts as new", source)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if missing.Renewed() || present.Renewed() {
			t.Errorf("%s: none counts as new", source)
		}
		write(t, path, "second")
		if !missing.Renewed() || !present.Renewed() {
			t.Errorf("%s: another one is not new", source)
		}
	}
}

// What to do about a token that is refused again and again depends on where it
// comes from.
func TestTokenHint(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{"stable": "", "classic": "", "file": "token.path", "static_env": "token.env", "url": "token server"} {
		a := config.NewAccount(appid)
		a.Token.Source = source
		if got := newAPI(t, a).TokenHint; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", source, got, want)
		}
	}
}

func newAPI(t *testing.T, a *config.Account) *wxapi.API {
	t.Helper()
	api, err := wxapi.New(a, wxapi.Options{Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	return api
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

// A token is there before the first call, unless to fetch it would end somebody
// else's; and a secret that is wrong shows before any event.
func TestPrepare(t *testing.T) {
	t.Parallel()
	for source, calls := range map[string]int{"stable": 1, "classic": 0} {
		account, a := simulator(t)
		a.Token.Source = source
		a.SecretFile = filepath.Join(t.TempDir(), "secret")
		prepare := func(secret string) error {
			write(t, a.SecretFile, secret)
			client, err := wxapi.New(a, wxapi.Options{Getenv: noEnv})
			if err != nil {
				t.Fatal(err)
			}
			err = client.Prepare(t.Context())
			if client.TokenFailing() != (err != nil) {
				t.Errorf("%s: it says that it has a token or none, after %v", source, err)
			}
			return err
		}
		if err := prepare("right"); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		got := 0
		for _, n := range account.Stats().Calls {
			got += n
		}
		if got != calls {
			t.Errorf("%s: %d calls, want %d: %v", source, got, calls, account.Stats().Calls)
		}
		if err := prepare("wrong"); (wechat.ClassOf(err) == wechat.Operator) != (calls > 0) {
			t.Errorf("%s: a wrong secret: %v", source, err)
		}
		if err := prepare(""); wechat.ClassOf(err) != wechat.Operator {
			t.Errorf("%s: no secret: %v", source, err)
		}
	}
}
