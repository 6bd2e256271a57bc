package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const (
	testAppID  = "wx0123456789abcdef"
	testSecret = "canary-of-the-secret"
)

// result is what a command line did.
type result struct {
	code     int
	out, err string
}

// wxenrich runs one command line to its end.
func wxenrich(t *testing.T, environ []string, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(t.Context(), args, streams{in: strings.NewReader(stdin), out: &out, err: &errs, environ: environ})
	return result{code, out.String(), errs.String()}
}

// want fails the test unless the command ended with the code, and its output
// holds the text; the rest of the output is only for the message.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, stdout) || !strings.Contains(r.err, stderr) {
		t.Errorf("exit code %d, want %d; stdout, which should have %q:\n%s\nstderr, which should have %q:\n%s", r.code, code, stdout, r.out, stderr, r.err)
	}
}

// world is a NATS server, a simulator with one account, and a configuration
// that names both.
type world struct {
	nats    *eventstest.Server
	sim     *wechattest.Server
	account *wechattest.Account
	api     string
	environ []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{nats: eventstest.NewServer(t), sim: wechattest.New()}
	w.account = w.sim.AddAccount(wechattest.AccountConfig{AppID: testAppID, Secret: testSecret, Followers: 1000})
	api := httptest.NewServer(w.sim)
	t.Cleanup(api.Close)
	w.api = api.URL
	path := filepath.Join(t.TempDir(), "wxenrich.yaml")
	text := fmt.Sprintf("nats: {url: %q}\naccounts: [{appid: %s, secret_env: WX_SECRET, api: %q}]\n", w.nats.URL(), testAppID, w.api)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.environ = []string{"WXENRICH_CONFIG=" + path, "WX_SECRET=" + testSecret}
	return w
}

// run runs a command line in this world.
func (w *world) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	r := wxenrich(t, w.environ, stdin, args...)
	if strings.Contains(r.out+r.err, testSecret) {
		t.Error("the secret is shown")
	}
	return r
}

// streams makes the input and the output.
func (w *world) streams(t *testing.T) jetstream.JetStream {
	t.Helper()
	js := w.nats.JetStream()
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	return js
}

// stored returns what the input stream holds.
func stored(t *testing.T, js jetstream.JetStream) []jetstream.Msg {
	t.Helper()
	c, err := js.OrderedConsumer(t.Context(), "WX_EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.FetchNoWait(10_000)
	if err != nil {
		t.Fatal(err)
	}
	var out []jetstream.Msg
	for m := range batch.Messages() {
		out = append(out, m)
	}
	return out
}

// publishRecord puts one record into the output stream.
func publishRecord(t *testing.T, js jetstream.JetStream, f events.Format, seq uint64, openid, remark string) {
	t.Helper()
	row, err := json.Marshal(map[string]any{"subscribe": 1, "openid": openid, "remark": remark, "tagid_list": []int{1, 2},
		"subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene_str": "shop"})
	if err != nil {
		t.Fatal(err)
	}
	r := events.Record{
		Event: events.Event{ID: fmt.Sprint("e", seq), OpenID: openid, AppID: testAppID, Type: "subscribe",
			Source: events.Source{Stream: "WX_EVENTS", Seq: seq, Time: time.Unix(1e9, int64(seq)), Subject: "wx.events." + testAppID + ".subscribe"}},
		UnionID: "u-" + openid, Status: events.Following, Lang: "zh_CN", FetchedAt: time.Unix(1.7e9, 0), Source: events.FromBatch,
		User: events.User{Raw: events.JSONValue(row)},
	}
	m, err := r.Msg("wx.profiles."+testAppID, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// background is a command that runs until it is stopped.
type background struct {
	out  *watched
	done chan int
	stop context.CancelFunc
}

func (w *world) background(t *testing.T, args ...string) *background {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &background{out: newWatched(t), done: make(chan int, 1), stop: cancel}
	go func() {
		code := execute(ctx, args, streams{in: strings.NewReader(""), out: b.out, err: b.out, environ: w.environ})
		b.out.end()
		b.done <- code
	}()
	t.Cleanup(cancel)
	return b
}

// end stops the command and returns its exit code.
func (b *background) end() int {
	b.stop()
	return <-b.done
}

// watched is a buffer that somebody waits for.
type watched struct {
	t     testing.TB
	mu    sync.Mutex
	more  *sync.Cond
	buf   bytes.Buffer
	ended bool
}

func newWatched(t testing.TB) *watched {
	w := &watched{t: t}
	w.more = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more.Broadcast()
	return w.buf.Write(p)
}

// String is what has been written so far.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// end says that nothing more will be written.
func (w *watched) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.more.Broadcast()
}

// waitFor returns what has been written once it holds text, and fails the test
// if the command ends before.
func (w *watched) waitFor(text string) string { return w.waitForAny(text) }

// waitForAny is waitFor for one of several texts.
func (w *watched) waitForAny(texts ...string) string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for _, text := range texts {
			if strings.Contains(w.buf.String(), text) {
				return w.buf.String()
			}
		}
		if w.ended {
			w.t.Fatalf("it has ended without %q:\n%s", texts, w.buf.String())
		}
		w.more.Wait()
	}
}
