package wxapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// apiHost is a name that only the proxy can resolve.
const apiHost = "api.test"

// authority makes an authority of its own: the file with it, and a certificate
// by it for apiHost and loopback.
func authority(t *testing.T) (file string, leaf tls.Certificate) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(template, parent *x509.Certificate, public *ecdsa.PrivateKey, by *ecdsa.PrivateKey) []byte {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &public.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of our own"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := sign(ca, ca, caKey, caKey)
	leafDER := sign(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{apiHost}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}},
		ca, leafKey, caKey)
	file = filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})))
	return file, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}

// connectProxy is an HTTP proxy that leads every CONNECT to target. It counts
// them, and fails the test over anything else that it is shown.
func connectProxy(t *testing.T, target string) (url string, tunnels *atomic.Int32) {
	t.Helper()
	tunnels = new(atomic.Int32)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || !strings.HasPrefix(r.Host, apiHost+":") || r.URL.RawQuery != "" {
			t.Errorf("the proxy was shown %s %s", r.Method, r.URL)
		}
		tunnels.Add(1)
		out, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		defer out.Close()
		in, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer in.Close()
		io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		back := make(chan struct{})
		go func() {
			defer close(back)
			io.Copy(in, out)
			in.Close()
		}()
		io.Copy(out, in)
		out.Close()
		<-back
	}))
	t.Cleanup(srv.Close)
	return srv.URL, tunnels
}

// TestProxyAndAuthorities has WeChat behind a proxy, with a certificate that no
// system trusts.
func TestProxyAndAuthorities(t *testing.T) {
	t.Parallel()
	sim := wechattest.New()
	account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
	server := httptest.NewUnstartedServer(sim)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	caFile, leaf := authority(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		api             string
		proxied, caFile bool
		want            string // of the error; empty for success
		tunnels         bool
	}{
		"both":                  {"https://" + apiHost + ":" + port, true, true, "", true},
		"authorities, no proxy": {server.URL, false, true, "", false},
		"proxy, no authorities": {"https://" + apiHost + ":" + port, true, false, "certificate", true},
		"neither":               {server.URL, false, false, "certificate", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, tunnels := connectProxy(t, addr)
			a := config.NewAccount(appid)
			a.API, a.SecretEnv = c.api, "S"
			a.Proxy = config.NoProxy
			if c.proxied {
				a.Proxy = proxy
			}
			if c.caFile {
				a.CAFile = caFile
			}
			client, err := wxapi.New(a, wxapi.Options{Getenv: func(string) string { return "right" }})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (wechat.ClassOf(err) != wechat.Transient || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want an error about the %s", err, c.want)
			}
			if got := tunnels.Load() > 0; got != c.tunnels {
				t.Errorf("%d tunnels, want some: %v", tunnels.Load(), c.tunnels)
			}
		})
	}
}

// TestAccountsShareConnections counts them.
func TestAccountsShareConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxy string
		want  int32
	}{"of all accounts": {"", 1}, "of an account with a word of its own": {config.NoProxy, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := wechattest.New()
			account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
			var conns atomic.Int32
			server := httptest.NewUnstartedServer(sim)
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			for range 3 {
				a := config.NewAccount(appid)
				a.API, a.SecretEnv, a.Proxy = server.URL, "S", c.proxy
				client, err := wxapi.New(a, wxapi.Options{Getenv: func(string) string { return "right" }})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)}); err != nil {
					t.Fatal(err)
				}
			}
			if n := conns.Load(); n != c.want {
				t.Errorf("%d connections for 3 clients, want %d", n, c.want)
			}
		})
	}
}
