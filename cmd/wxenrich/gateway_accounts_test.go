package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Accounts of the gateway come, change and go while it takes pushes, and a file
// that is wrong costs nothing but itself.
func TestGatewayAccountsChange(t *testing.T) {
	t.Parallel()
	const second = "wx00000000000000b2"
	w := newWorld(t)
	js := w.nats.JetStream()
	dir, secrets := t.TempDir(), t.TempDir()
	token := func(name, text string) { write(t, filepath.Join(secrets, name), text) }
	token("one", "the first token")
	token("two", "the second token")
	token("key", pushAESKey)
	file := func(appid, tokenFile string) {
		write(t, filepath.Join(dir, appid+".yaml"), fmt.Sprintf("appid: %s\npush: {token_file: %q, aes_key_file: %q}\ninput: {stream: 'EVENTS_{appid}'}\n",
			appid, filepath.Join(secrets, tokenFile), filepath.Join(secrets, "key")))
	}
	file(testAppID, "one")
	listen, http_ := freePort(t), freePort(t)
	path := filepath.Join(t.TempDir(), "wxenrich.yaml")
	write(t, path, fmt.Sprintf("nats: {url: %q}\naccounts_dir: %q\ngateway: {listen: %q, http_listen: %q}\n",
		w.nats.URL(), dir, listen, http_))
	w.environ = []string{"WXENRICH_CONFIG=" + path, "WXENRICH_GATEWAY_LISTEN=" + listen}
	b := w.background(t, "gateway")
	b.out.waitFor("gateway is running")
	openid := w.account.OpenID(1)
	becomes := func(what, appid, token, want string) {
		t.Helper()
		for deadline := time.Now().Add(everything); ; time.Sleep(20 * time.Millisecond) {
			if answer := w.pushAs(t, appid, token, openid); strings.Contains(answer, want) {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("%s: %s\n%s", what, answer, b.out.waitFor(""))
			}
		}
	}
	ready := func(text string, has bool) {
		t.Helper()
		for deadline := time.Now().Add(everything); strings.Contains(fetch(t, http.DefaultClient, "http://"+http_+"/readyz", nil, ""), text) != has; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q in /readyz is not %v", text, has)
			}
		}
	}
	becomes("the first account", testAppID, "the first token", "success")
	becomes("nobody yet", second, "the second token", "unknown_account")

	file(second, "two")
	becomes("one that is added", second, "the second token", "success")
	if _, err := js.Stream(t.Context(), "EVENTS_"+second); err != nil {
		t.Errorf("its stream: %v", err)
	}
	token("one", "a newer token")
	becomes("one whose token has changed", testAppID, "a newer token", "success")
	becomes("by its old token", testAppID, "the first token", "signature")

	token("two", "") // as while it is being written
	b.out.waitFor("the last good state is kept")
	becomes("one whose token is being written", second, "the second token", "success")
	token("two", "the second token")
	ready(`"configuration"`, false)
	file(second, "none") // there is no such file
	ready(`"configuration":[`, true)
	becomes("one whose file is wrong now", second, "the second token", "success")
	becomes("beside it", testAppID, "a newer token", "success")
	metrics := fetch(t, http.DefaultClient, "http://"+http_+"/metrics", nil, "")
	if !strings.Contains(metrics, "\nwxenrich_config_faults 1\n") {
		t.Errorf("no fault is counted:\n%s", metrics)
	}
	file(second, "two")
	ready(`"configuration"`, false)
	if err := os.Remove(filepath.Join(dir, second+".yaml")); err != nil {
		t.Fatal(err)
	}
	becomes("one that is gone", second, "the second token", "unknown_account")
	becomes("the one that stays", testAppID, "a newer token", "success")
	if code := b.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, secret := range []string{"the first token", "a newer token", pushAESKey} {
		if strings.Contains(b.out.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}
