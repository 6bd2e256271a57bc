//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nkeys"
)

// secrets are what nobody may read anywhere, by what they are: the AppSecret,
// each access token that has been used, and the canaries.
var secrets sync.Map

const (
	pushToken = "canary-of-the-push-token"
	pushKey   = "canaryOfTheAESKeyWith43LettersAsWeChatWants" // EncodingAESKey
)

// hides fails the test if there is a secret in a text.
func hides(t testing.TB, where string, text []byte) {
	t.Helper()
	secrets.Range(func(s, what any) bool {
		if bytes.Contains(text, []byte(s.(string))) {
			t.Errorf("%s shows %v", where, what)
		}
		return true
	})
}

// watchSecrets gives the service secrets in all the ways it takes them, sends
// its spans, metrics and logs to a collector that looks for them, and looks for
// them in all that the servers have on disk when they have ended: streams,
// buckets and durables. The processes' logs, panics and command lines are their
// own business: see start.
func (w *world) watchSecrets() {
	dir := w.t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return path
	}
	for s, what := range map[string]string{secret: "the AppSecret", w.natsSeed: "the seed of the NATS user", pushToken: "the push token", pushKey: "the AES key"} {
		secrets.Store(s, what)
	}
	w.settings["NATS_NKEY"] = write("nats.nk", w.natsSeed)
	w.settings["ACCOUNTS_0_PUSH_TOKEN_FILE"], w.settings["ACCOUNTS_0_PUSH_AES_KEY_FILE"] = write("push-token", pushToken), write("push-key", pushKey)
	var sent atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is cut off belongs to somebody who was killed
		hides(w.t, "what is sent to "+r.URL.Path, body)
		sent.Add(int64(len(body)))
	}))
	w.environ = append(w.environ, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.02",
		"OTEL_BSP_SCHEDULE_DELAY=500", "OTEL_METRIC_EXPORT_INTERVAL=2000")
	w.t.Cleanup(func() {
		collector.Close()
		stored := 0
		for _, s := range w.servers {
			stored += s.hidesStore()
		}
		w.t.Logf("%d bytes stored and %d bytes sent to a collector show no secret", stored, sent.Load())
		if !w.t.Failed() && (stored == 0 || sent.Load() == 0) {
			w.t.Error("there is nothing in which a secret could be")
		}
	})
}

// hidesStore fails the test if there is a secret in a server's files, and says
// how many bytes they have.
func (s *server) hidesStore() (size int) {
	err := filepath.WalkDir(s.store(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		hides(s.t, fmt.Sprintf("%s's %s", s.name, path), text)
		size += len(text)
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
	return size
}

// newNATSUser makes an nkey: what the servers know of it, and its secret seed.
func newNATSUser(t *testing.T) (public, seed string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	b, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return public, string(b)
}
