package wxapi_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// buildTokenServer builds the server that the page on token.source url shows.
func buildTokenServer(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "deploy", "docs", "token-url.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := goBlock.FindSubmatch(page)
	if found == nil {
		t.Fatal("the page shows no server")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokend.go"), string(found[1]))
	write(t, filepath.Join(dir, "go.mod"), "module tokend\n\ngo 1.26.0\n")
	for _, args := range [][]string{{"vet", "."}, {"build", "-o", "tokend", "."}} {
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	return filepath.Join(dir, "tokend")
}

// startTokenServer runs it until the test ends and returns where it listens.
func startTokenServer(t *testing.T, program string, env ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c := exec.Command(program)
	c.Env = append(env, "TOKEND_LISTEN="+address)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return "http://" + address + "/wx"
		}
		if c.ProcessState != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// The page's server as a process of its own, WeChat killing its token, and 64
// programs that all report it: one fetch, and everybody goes on.
func TestTokenServerOfThePage(t *testing.T) {
	t.Parallel()
	program := buildTokenServer(t)
	const endpoint = "stable_token"
	account, a := simulator(t)
	a.Token.Source = "url"
	a.Token.AuthEnv = "AUTH"
	a.Token.URL = startTokenServer(t, program, "TOKEND_KEY=k", "WX_API="+a.API, "WX_APPID="+appid, "WX_SECRET=right")
	clients := make([]*wechat.Client, 64)
	for i := range clients {
		clients[i] = newClient(t, a, "Bearer k")
	}
	q := wechat.Query{OpenID: account.OpenID(0)}
	together := func(call func(*wechat.Client)) {
		var wg sync.WaitGroup
		for _, c := range clients {
			wg.Go(func() { call(c) })
		}
		wg.Wait()
	}
	together(func(c *wechat.Client) {
		if _, err := c.UserInfo(t.Context(), q); err != nil {
			t.Error(err)
		}
	})
	if n := account.Stats().Calls[endpoint]; n != 1 {
		t.Errorf("%s: %d fetches at first, want 1", endpoint, n)
	}
	account.KillTokens()
	together(func(c *wechat.Client) {
		if _, err := c.UserInfo(t.Context(), q); wechat.ClassOf(err) != wechat.StaleToken {
			t.Errorf("with the killed token: %v", err)
		}
	})
	together(func(c *wechat.Client) {
		if _, err := c.UserInfo(t.Context(), q); err != nil {
			t.Errorf("with the next token: %v", err)
		}
	})
	if n := account.Stats().Calls[endpoint]; n != 2 {
		t.Errorf("%s: %d fetches after 64 reports, want 2", endpoint, n)
	}

	_, err := newClient(t, a, "Bearer wrong").UserInfo(t.Context(), q)
	if wechat.ClassOf(err) != wechat.Operator || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// newClient has a source of its own, as a process has.
func newClient(t *testing.T, a *config.Account, auth string) *wechat.Client {
	t.Helper()
	c, err := wxapi.New(a, wxapi.Options{Getenv: func(string) string { return auth }})
	if err != nil {
		t.Fatal(err)
	}
	return c.Client
}
