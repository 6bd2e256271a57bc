package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestDoctorOfTheGateway(t *testing.T) {
	t.Parallel()
	if r := newWorld(t).run(t, "", "doctor"); strings.Contains(r.out, "gateway") {
		t.Errorf("there is none to be looked at:\n%s", r.out)
	}
	w := pushWorld(t)
	w.run(t, "", "doctor").want(t, 0, `note  stream WX_MESSAGES: does not exist yet`, "")
	b := w.background(t, "gateway")
	b.out.waitFor("gateway is running")
	b.end()
	dir := t.TempDir()
	w.environ = append(w.environ, "WXENRICH_ACCOUNTS_0_PUSH_ENCRYPTED_ONLY=true", "WXENRICH_GATEWAY_SPOOL_DIR="+filepath.Join(dir, "spool"))
	r := w.run(t, "", "doctor")
	for _, text := range []string{"ok    push of " + testAppID + ": its token and keys can be read\n", "ok    stream WX_MESSAGES: fits",
		`spool does not exist on this machine; "wxenrich gateway" makes it`, " 0 warnings, 0 failed\n"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}

	js := w.nats.JetStream()
	for _, s := range []jetstream.StreamConfig{
		{Name: "WX_EVENTS", Subjects: []string{"wx.events.*.subscribe"}},
		{Name: "WX_MESSAGES", Subjects: []string{"wx.messages.>"}, Duplicates: time.Minute},
	} {
		if _, err := js.UpdateStream(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "aside-1"), "{}")
	write(t, filepath.Join(dir, "key"), "tooshort")
	cert := filepath.Join(dir, "cert.pem")
	issue(t, cert, filepath.Join(dir, "key.pem"), 1, time.Now())
	w.environ = append(w.environ, "WXENRICH_GATEWAY_SPOOL_DIR="+dir, "WXENRICH_ACCOUNTS_0_PUSH_AES_KEY_FILE="+filepath.Join(dir, "key"),
		"WXENRICH_GATEWAY_TLS_CERT="+cert, "WXENRICH_GATEWAY_TLS_KEY="+filepath.Join(dir, "key.pem"))
	r = w.run(t, "", "doctor")
	for _, text := range []string{
		"fail  push of " + testAppID + ": push.aes_key: an EncodingAESKey has 43 characters, this has 8",
		"fail  stream WX_EVENTS: subjects is wx.events.*.subscribe, the gateway wants wx.events." + testAppID + ".*",
		"warn  stream WX_MESSAGES: duplicate_window is 1m0s, want twice gateway.max_skew, 10m0s", "      nats stream edit WX_MESSAGES --dupe-window 10m0s",
		"warn  gateway's spool: 1 pushes in ", "warn  gateway: its certificate ends at ",
	} {
		if !strings.Contains(r.out, text) {
			t.Errorf("no %q in\n%s", text, r.out)
		}
	}
	only := []string{"WXENRICH_NATS_URL=" + w.nats.URL(), "WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "T=" + pushToken, "WXENRICH_ACCOUNTS_0_PUSH_TOKEN_ENV=T"}
	wxenrich(t, only, "", "doctor").want(t, 1, "note  account "+testAppID+": there is no AppSecret, so WeChat was not asked", "")
	if strings.Contains(r.out, pushToken) || strings.Contains(r.out, "tooshort") {
		t.Errorf("a secret is shown:\n%s", r.out)
	}
}
