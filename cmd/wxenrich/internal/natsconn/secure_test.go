package natsconn_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate of 127.0.0.1
	certified.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, server.Options{TLS: true, TLSTimeout: 5, TLSConfig: &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	nc, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: s.ClientURL(), TLS: natsconn.TLS{CA: ca}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if !nc.TLSRequired() {
		t.Error("the connection is in clear text")
	}
	if nc, err := natsconn.Connect(t.Context(), natsconn.Settings{URL: s.ClientURL()}, "test"); err == nil {
		nc.Close()
		t.Error("an unknown authority is trusted")
	}
}

// A context's JetStream domain counts: without it the requests go nowhere.
func TestDomainOfAContext(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{JetStream: true, StoreDir: t.TempDir(), JetStreamDomain: "hub"})
	for key, works := range map[string]bool{
		`"jetstream_domain":"hub"`:              true,
		`"jetstream_api_prefix":"$JS.hub.API"`:  true,
		`"jetstream_domain":"elsewhere"`:        false,
		`"jetstream_api_prefix":"$JS.else.API"`: false,
	} {
		path := contextFile(t, `{"url":"`+s.ClientURL()+`",`+key+`}`)
		nc, err := natsconn.Connect(t.Context(), natsconn.Settings{Context: path}, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := nc.JetStream(jetstream.WithPublishAsyncMaxPending(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.AccountInfo(t.Context()); (err == nil) != works {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	s := start(t, server.Options{DontListen: true})
	settings := natsconn.Settings{InProcess: s, URL: "nats://127.0.0.1:1"}
	nc, err := natsconn.Connect(t.Context(), settings, "test")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if got := settings.Where(); got != "the embedded server" {
		t.Errorf("it is called %s", got)
	}
}
