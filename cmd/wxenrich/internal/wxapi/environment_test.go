package wxapi_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// askFrom names the variable that makes TestProxyOfTheEnvironment the process
// that asks: net/http reads its variables once in a process.
const askFrom = "WXAPI_TEST_ASK"

// TestProxyOfTheEnvironment has WeChat behind the proxy that HTTPS_PROXY names,
// and an account that says nothing of a proxy, or that it wants none.
func TestProxyOfTheEnvironment(t *testing.T) {
	if api := os.Getenv(askFrom); api != "" {
		a := config.NewAccount(appid)
		a.API, a.SecretEnv, a.Proxy = api, "S", os.Getenv(askFrom+"_PROXY")
		client, err := wxapi.New(a, wxapi.Options{Getenv: func(string) string { return "right" }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.UserInfo(t.Context(), wechat.Query{OpenID: os.Getenv(askFrom + "_OPENID")}); err != nil {
			t.Fatal(err)
		}
		return
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		t.Skip("SSL_CERT_FILE is not read here")
	}
	t.Parallel()
	sim := wechattest.New()
	account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
	server := httptest.NewUnstartedServer(sim)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	caFile, leaf := authority(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		own  string // what the account says
		want bool   // that it is answered
	}{"the environment's": {"", true}, "none": {config.NoProxy, false}} {
		t.Run(name, func(t *testing.T) {
			proxy, tunnels := connectProxy(t, addr)
			cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestProxyOfTheEnvironment$")
			cmd.Env = append(os.Environ(), "HTTPS_PROXY="+proxy, "NO_PROXY=", "SSL_CERT_FILE="+caFile,
				askFrom+"=https://"+apiHost+":"+port, askFrom+"_PROXY="+c.own, askFrom+"_OPENID="+account.OpenID(0))
			out, err := cmd.CombinedOutput()
			if (err == nil) != c.want || (tunnels.Load() > 0) != c.want {
				t.Errorf("%v after %d tunnels, want an answer: %v\n%s", err, tunnels.Load(), c.want, out)
			}
		})
	}
}
