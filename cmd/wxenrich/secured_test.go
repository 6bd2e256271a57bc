package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// TestConnectionsByConfiguration has the configuration name each way to secure
// a connection, against a server that asks for just that; and leaves a part
// out, which the server refuses.
func TestConnectionsByConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	ca := newAuthority(t, path("ca.pem"))
	theirs := ca.issue(t, path("server.pem"), path("server.key"))
	ca.issue(t, path("client.pem"), path("client.key"))
	seed, public := newSeed(t, nkeys.CreateUser, path("seed"))
	trusted, resolver := newOperator(t, path("creds"))

	overTLS := func(o *server.Options) {
		o.TLS, o.TLSTimeout = true, 5
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{theirs}, MinVersion: tls.VersionTLS12}
	}
	mutual := func(o *server.Options) {
		overTLS(o)
		o.TLSVerify = true
		o.TLSConfig.ClientAuth, o.TLSConfig.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
	}
	withNKey := func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }
	operated := func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{trusted}, resolver
		o.JetStream = false // an account of its own would have to allow it
	}
	context := func(settings string) string {
		name := path(fmt.Sprintf("context%d.json", len(settings)))
		write(t, name, settings)
		return name
	}
	for name, c := range map[string]struct {
		server  eventstest.Option
		environ []string // all of which it takes
	}{
		"TLS":        {overTLS, []string{"WXENRICH_NATS_TLS_CA=" + path("ca.pem")}},
		"mutual TLS": {mutual, []string{"WXENRICH_NATS_TLS_CA=" + path("ca.pem"), "WXENRICH_NATS_TLS_CERT=" + path("client.pem") + "\x00WXENRICH_NATS_TLS_KEY=" + path("client.key")}},
		"nkey":       {withNKey, []string{"WXENRICH_NATS_NKEY=" + path("seed")}},
		"creds":      {operated, []string{"WXENRICH_NATS_CREDS=" + path("creds")}},
		"nkey and mutual TLS": {func(o *server.Options) { mutual(o); withNKey(o) },
			[]string{"WXENRICH_NATS_NKEY=" + path("seed"), "WXENRICH_NATS_TLS_CA=" + path("ca.pem"), "WXENRICH_NATS_TLS_CERT=" + path("client.pem") + "\x00WXENRICH_NATS_TLS_KEY=" + path("client.key")}},
		"a context with creds":      {operated, []string{"WXENRICH_NATS_CONTEXT=" + context(`{"creds":"`+path("creds")+`"}`)}},
		"a context with mutual TLS": {mutual, []string{"WXENRICH_NATS_CONTEXT=" + context(`{"ca":"`+path("ca.pem")+`","cert":"`+path("client.pem")+`","key":"`+path("client.key")+`"}`)}},
		"a context with an nkey":    {withNKey, []string{"WXENRICH_NATS_CONTEXT=" + context(`{"nkey":"`+path("seed")+`"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := eventstest.NewServer(t, c.server).URL()
			// Each part alone is left out once, and in the end none.
			for left := range len(c.environ) + 1 {
				v := *w
				v.environ = append([]string{}, w.environ...)
				v.environ = append(v.environ, "WXENRICH_NATS_URL="+url)
				for i, part := range c.environ {
					if i != left {
						v.environ = append(v.environ, strings.Split(part, "\x00")...)
					}
				}
				r := v.run(t, "", "doctor")
				connected := strings.Contains(r.out, "ok    NATS: nats-server ")
				whole := left == len(c.environ)
				if connected != whole {
					t.Errorf("without part %d of %d: connected is %v:\n%s%s", left, len(c.environ), connected, r.out, r.err)
				}
				if whole {
					continue
				}
				fix, missing := "--creds", c.environ[left]
				switch {
				case strings.Contains(missing, "TLS_CA="), strings.Contains(missing, "CONTEXT") && strings.Contains(name, "TLS"):
					fix = "--tlsca"
				case strings.Contains(missing, "TLS_CERT="):
					fix = "--tlscert"
				}
				// A server that ends the connection over a certificate may do so before its reason is read.
				for tries := 0; fix == "--tlscert" && !strings.Contains(r.out, fix) && tries < 50; tries++ {
					r = v.run(t, "", "doctor")
				}
				if !strings.Contains(r.out, fix) {
					t.Errorf("without part %d nothing says that %s is missing:\n%s", left, fix, r.out)
				}
				if strings.Contains(r.out+r.err, string(seed)) {
					t.Error("the seed is shown")
				}
			}
		})
	}
}

// Credentials that a context or a flag names draw the warning that those of the
// configuration do.
func TestReadableCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "context.json")
	write(t, path, fmt.Sprintf(`{"url":%q,"user":"u","password":"hush"}`, w.nats.URL()))
	seed, _ := newSeed(t, nkeys.CreateUser, filepath.Join(filepath.Dir(path), "seed"))
	for file, args := range map[string][]string{
		path: {"--context", path},
		filepath.Join(filepath.Dir(path), "seed"): {"--nkey", filepath.Join(filepath.Dir(path), "seed")},
	} {
		problem := file + " can be read by others (mode 0644): chmod 600 it"
		if r := w.run(t, "", append([]string{"doctor"}, args...)...); strings.Contains(r.out, "can be read by others") {
			t.Errorf("%s", r.out)
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		r := w.run(t, "", append([]string{"doctor"}, args...)...)
		if !strings.Contains(r.out, "warn  NATS credentials: "+problem) {
			t.Errorf("%s", r.out)
		}
		if strings.Contains(r.out+r.err, "hush") || strings.Contains(r.out+r.err, string(seed)) {
			t.Error("a secret is shown")
		}
		run := w.background(t, append([]string{"run"}, args...)...)
		run.out.waitFor(problem)
		run.end()
	}
}

// authority issues certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, file string) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return a
}

func (a *authority) issue(t *testing.T, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "one"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	write(t, certFile, string(certPEM))
	write(t, keyFile, string(keyPEM))
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// newSeed makes a key pair and keeps its seed in a file.
func newSeed(t *testing.T, create func() (nkeys.KeyPair, error), file string) (seed []byte, public string) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if seed, err = pair.Seed(); err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	write(t, file, string(seed))
	return seed, public
}

// newOperator makes an operator with one account, and keeps the credentials of
// its one user in a file.
func newOperator(t *testing.T, file string) (*jwt.OperatorClaims, server.AccountResolver) {
	t.Helper()
	pair := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		seed, public := newSeed(t, create, filepath.Join(t.TempDir(), "seed"))
		kp, err := nkeys.FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		return kp, public
	}
	encoded := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator, operatorKey := pair(nkeys.CreateOperator)
	account, accountKey := pair(nkeys.CreateAccount)
	user, userKey := pair(nkeys.CreateUser)
	o := jwt.NewOperatorClaims(operatorKey)
	encoded(o.Encode(operator))
	resolver := new(server.MemAccResolver)
	if err := resolver.Store(accountKey, encoded(jwt.NewAccountClaims(accountKey).Encode(operator))); err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(encoded(jwt.NewUserClaims(userKey).Encode(account)), seed)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(creds))
	return o, resolver
}
