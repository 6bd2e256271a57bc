package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestStartFailures are an operator's ordinary mistakes: each has a message and
// an exit code, and none a stack trace.
func TestStartFailures(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		args    []string
		environ []string
		prepare func(*testing.T, *world)
		code    int
		stderr  string
	}{
		{name: "no credentials file", args: []string{"run", "--creds", "/nonexistent"}, code: exitFailed, stderr: "/nonexistent"},
		{name: "no such context", args: []string{"run", "--context", "nosuch"}, code: exitFailed, stderr: "nosuch"},
		{
			name: "stream missing and not ours to make", args: []string{"run"}, environ: []string{"WXENRICH_MANAGE=verify"},
			code: exitFailed, stderr: "hint: ",
		},
		{
			name: "output that forgets message ids", args: []string{"run"}, code: exitUsage, stderr: "retention",
			prepare: func(t *testing.T, w *world) {
				_, err := w.nats.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{
					Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, Retention: jetstream.WorkQueuePolicy,
				})
				if err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "output that keeps a record until the next", args: []string{"run", "--limit", "1"},
			environ: []string{"WXENRICH_INPUT_START=all"}, stderr: "max_msgs_per_subject is 1, want none: ",
			prepare: func(t *testing.T, w *world) {
				js := w.nats.JetStream()
				_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}, MaxMsgsPerSubject: 1})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}); err != nil {
					t.Fatal(err)
				}
				w.run(t, "", "publish", w.account.OpenID(0)).want(t, 0, "", "")
			},
		},
		{
			name: "input that drops what is in hand", args: []string{"run"}, code: exitUsage, stderr: "hint: nats stream edit WX_EVENTS --discard new",
			prepare: func(t *testing.T, w *world) {
				_, err := w.nats.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, MaxMsgs: 100})
				if err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.environ = append(append(w.environ, "WXENRICH_HTTP_LISTEN="), tc.environ...)
			if tc.prepare != nil {
				tc.prepare(t, w)
			}
			r := w.run(t, "", tc.args...)
			r.want(t, tc.code, "", tc.stderr)
			if strings.Contains(r.err, "goroutine") {
				t.Error("a stack trace")
			}
		})
	}
}

func TestDemoOnATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := wxenrich(t, []string{"TMPDIR=" + t.TempDir()}, "", "demo", "--listen", l.Addr().String())
	r.want(t, exitFailed, "", "hint: choose another address")
}

func TestSIGTERMWhileWaitingForNATS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.process(t, "run", "--server", "nats://"+freePort(t))
	p.up(t, "waiting for NATS")
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
}

// A secret that is wrong or missing is said when the service starts, not when the
// first event comes, and whoever mends it need not start anything anew.
func TestWrongSecretShowsAtTheStart(t *testing.T) {
	t.Parallel()
	const second, third = "wx00000000000000b2", "wx00000000000000c3"
	secrets := t.TempDir()
	path := func(appid string) string { return filepath.Join(secrets, appid) }
	f := newFolder(t, t.TempDir(), func(f *folder) {
		for _, appid := range []string{second, third} {
			f.another(appid)
			f.write(appid+".yaml", fmt.Sprintf("appid: %s\nsecret_file: %q\napi: %q\n", appid, path(appid), f.api))
		}
		write(t, path(second), "wrong")
		f.write("one.yaml", f.file(testAppID, ""))
	})
	for _, appid := range []string{second, third} {
		f.ready(503, `{"appid":"`+appid+`","ready":false,"phase":"held","reason":"operator"`, true)
		f.metric(`wxenrich_token_failing\{appid="` + appid + `"\} 1`)
		f.metric(`wxenrich_lane_held\{appid="` + appid + `",.*reason="operator".*\} 1`)
	}
	f.ready(503, `{"appid":"`+testAppID+`","ready":true`, true)
	status := f.world.run(t, "", "status")
	if n := strings.Count(status.out, "on hold since"); n != 2 || !strings.Contains(status.out, "secret_file") {
		t.Errorf("status names %d holds:\n%s", n, status.out)
	}
	write(t, path(second), testSecret)        // in place
	f.write(third+".yaml", f.file(third, "")) // or in the configuration
	f.ready(200, `"held"`, false)
	if _, body := get(t, "http://"+f.listen+"/metrics"); strings.Contains(body, "wxenrich_token_failing{") {
		t.Error("there is an account without a token still")
	}
}
