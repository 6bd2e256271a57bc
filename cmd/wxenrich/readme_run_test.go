//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// reader is somebody who follows the README with a shell: wxenrich, nats and
// curl on the path are this test binary, and ports that may be taken are others.
type reader struct {
	t       *testing.T
	path    string // of the README, absolute
	dir     string
	environ []string
	other   *strings.Replacer
}

var backgroundNote = regexp.MustCompile(`, in the background until "(.*)"$`)

// newReader replaces what has to be different in a test by pairs of strings.
func newReader(t *testing.T, environ []string, pairs ...string) *reader {
	t.Helper()
	path, err := filepath.Abs(readmes["en"])
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, path: path, dir: t.TempDir(), other: strings.NewReplacer(pairs...)}
	bin := t.TempDir()
	for _, name := range []string{"wxenrich", "nats", "curl"} {
		script := fmt.Sprintf("#!/bin/sh\nBE=%s exec %q \"$@\"\n", name, os.Args[0])
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Under the race detector every process would sleep for a second at its end.
	r.environ = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + r.dir, "GORACE=atexit_sleep_ms=0"}, environ...)
	return r
}

// play runs a scene's blocks in their order, and returns what the scripts
// printed. What runs in the background is terminated when the test ends.
func (r *reader) play(scene string) string {
	r.t.Helper()
	var printed, script strings.Builder
	flush := func() {
		if script.Len() > 0 {
			printed.WriteString(r.script(script.String()))
		}
		script.Reset()
	}
	n := 0
	for _, b := range blocks(r.t, r.path) {
		note, ok := strings.CutPrefix(b.note, "run: "+scene)
		if !ok {
			continue
		}
		n++
		if m := backgroundNote.FindStringSubmatch(note); m != nil {
			flush()
			r.start(b.text, m[1])
		} else {
			script.WriteString(b.text)
		}
	}
	flush()
	if n < 2 {
		r.t.Fatalf("scene %q has %d blocks", scene, n)
	}
	return printed.String()
}

// shell runs text in a process group of its own, which dies with ctx.
func (r *reader) shell(ctx context.Context, text string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", "-euc", r.other.Replace(text))
	c.Dir, c.Env = r.dir, r.environ
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}

// patience is for scripts that wait for what never comes.
const patience = time.Minute

func (r *reader) script(text string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	out, err := r.shell(ctx, text).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v\n%s\n%s", err, text, out)
	}
	return string(out)
}

func (r *reader) start(text, until string) {
	r.t.Helper()
	out := newWatched(r.t)
	c := r.shell(context.WithoutCancel(r.t.Context()), "exec "+text) // it is ended by a signal
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := c.Wait()
		out.end()
		ended <- err
	}()
	r.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // an error: it has ended
		if err := <-ended; err != nil {
			r.t.Errorf("%s: %v after SIGTERM", text, err)
		}
		if r.t.Failed() {
			r.t.Logf("%s\n%s", text, out)
		}
	})
	out.waitFor(until)
}

func TestREADMETour(t *testing.T) {
	t.Parallel()
	listen := freePort(t)
	r := newReader(t, []string{"NATS_URL=nats://" + listen},
		"go run ./cmd/wxenrich demo", "wxenrich demo --rate 0.001 --listen "+listen)
	out := r.play("tour")
	if n := strings.Count(out, "following "); n != 5 {
		t.Errorf("%d followers are shown:\n%s", n, out)
	}
	if !strings.Contains(out, ": the law holds\n") {
		t.Errorf("the audit is not shown:\n%s", out)
	}
	js := jetStream(t, "nats://"+listen)
	got := map[string]int{}
	var headers []string
	for stream, n := range map[string]int{"WX_PROFILES": 8, "WX_DEAD": 1} {
		for _, m := range messages(t, js, stream, n) {
			h := m.Headers()
			got[h.Get(events.HeaderStatus)+h.Get(events.HeaderDeadReason)]++
			for name := range h {
				headers = append(headers, "`"+name+"`")
			}
		}
	}
	want := map[string]int{"following": 7, "unsubscribed": 1, "undecodable": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answers: -want +got\n%s", d)
	}
	for _, path := range readmes {
		mentioned(t, path, headers)
	}
}

// account is a simulated WeChat with the README's account.
func account(t *testing.T) (api, openid string) {
	t.Helper()
	sim := wechattest.New()
	a := sim.AddAccount(wechattest.AccountConfig{AppID: testAppID, Secret: testSecret, Followers: 10})
	s := httptest.NewServer(sim)
	t.Cleanup(s.Close)
	return s.URL, a.OpenID(0)
}

var metricLine = regexp.MustCompile(`(?m)^wxenrich_\w+`)

// families are the metrics in a scrape: a histogram is one, not its series.
func families(scrape string) []string {
	histogram := strings.NewReplacer("_bucket", "", "_sum", "", "_count", "")
	names := metricLine.FindAllString(scrape, -1)
	for i, name := range names {
		names[i] = histogram.Replace(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestREADMEMachine(t *testing.T) {
	t.Parallel()
	api, openid := account(t)
	listen, admin := freePort(t), freePort(t)
	r := newReader(t, []string{"APPSECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_API=" + api,
		"NATS_URL=nats://" + listen, "WXENRICH_NATS_LISTEN=" + listen, "WXENRICH_HTTP_LISTEN=" + admin},
		"oABCDEFGHIJKLMNOPQRSTUVWXYZ0", openid, "127.0.0.1:9464", admin)
	out := r.play("machine")
	for _, text := range []string{"following ", "status    following", `"ready":true`, " 0 warnings, 0 failed\n"} {
		if !strings.Contains(out, text) {
			t.Errorf("nothing printed %q:\n%s", text, out)
		}
	}
	for _, path := range readmes {
		mentioned(t, path, families(out))
	}
}

func TestREADMEOwnNATS(t *testing.T) {
	t.Parallel()
	api, openid := account(t)
	url := eventstest.NewServer(t).URL()
	r := newReader(t, []string{"APPSECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_API=" + api,
		"NATS_URL=" + url, "WXENRICH_HTTP_LISTEN=" + freePort(t)},
		"oABCDEFGHIJKLMNOPQRSTUVWXYZ0", openid, "nats://127.0.0.1:4222", url)
	if out := r.play("own"); !strings.Contains(out, "events=1 records=1") || !strings.Contains(out, "following ") {
		t.Error(out)
	}
	js := jetStream(t, url)
	for _, stream := range []string{"WX_SHADOW", "WX_SHADOW_DEAD"} {
		if _, err := js.Stream(t.Context(), stream); err == nil {
			t.Errorf("%s is still there", stream)
		}
	}
}

func TestREADMESimulator(t *testing.T) {
	t.Parallel()
	listen := freePort(t)
	r := newReader(t, nil, "wxenrich simulate", "wxenrich simulate --listen "+listen, "127.0.0.1:8089", listen)
	shown, _, _ := strings.Cut(r.play("simulator"), "asked ") // the rest is the time
	for _, path := range readmes {
		mentioned(t, path, []string{shown})
	}
}

func jetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// messages waits for the first n messages of a stream.
func messages(t *testing.T, js jetstream.JetStream, stream string, n int) []jetstream.Msg {
	t.Helper()
	c, err := js.OrderedConsumer(t.Context(), stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Stop()
	all := make([]jetstream.Msg, n)
	for i := range all {
		if all[i], err = next.Next(jetstream.NextContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
