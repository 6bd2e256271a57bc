package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// What everything is called.
const (
	inputStream  = "WX_EVENTS"
	outputStream = "WX_PROFILES"
	deadStream   = "WX_DEAD"

	secret    = "a-secret-that-is-none"
	secretEnv = "WXENRICH_BENCH_SECRET"
)

// world is a NATS server with the streams of one run, and a WeChat.
type world struct {
	*Case
	program Program
	dir     string
	lock    *flock.Flock // of the folder
	nats    *child
	url     string
	nc      *nats.Conn
	js      jetstream.JetStream
	wechat  *child
	api     string
}

func (p Program) newWorld(ctx context.Context, c *Case, wechat bool) (w *world, err error) {
	w = &world{Case: c, program: p}
	w.program.Environ = append(append([]string(nil), p.Environ...), secretEnv+"="+secret)
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, w.lock, err = newFolder(os.TempDir()); err != nil {
		return w, err
	}
	if w.nats, w.url, err = w.program.start(ctx, w.dir, "nats://", Profiles{}, "bench", "nats", "--dir", filepath.Join(w.dir, "nats")); err != nil {
		return w, err
	}
	if w.nc, err = nats.Connect(w.url); err != nil {
		return w, err
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		return w, err
	}
	if err := w.createStreams(ctx); err != nil {
		return w, err
	}
	if wechat {
		err = w.startWeChat(ctx)
	}
	return w, err
}

func (w *world) createStreams(ctx context.Context) error {
	specs := []events.StreamSpec{
		{Name: outputStream, Subjects: []string{"wx.profiles.>"}, Output: true, AllowAtomic: true},
		{Name: deadStream, Subjects: []string{"wx.dead.>"}, Output: true, AllowAtomic: true},
	}
	if w.Load.Streams {
		for _, id := range w.appids() {
			specs = append(specs, events.StreamSpec{Name: inputStream + "_" + id, Subjects: []string{"wx.events." + id + ".>"}})
		}
	} else {
		specs = append(specs, events.StreamSpec{Name: inputStream, Subjects: []string{"wx.events.>"}})
	}
	for _, s := range specs {
		if _, _, err := events.EnsureStream(ctx, w.js, s, events.Create); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) startWeChat(ctx context.Context) (err error) {
	args := []string{"simulate", "--listen", "127.0.0.1:0", "--secret", secret, "--latency", w.API.Latency, "--followers", "100000000"}
	for _, id := range w.appids() {
		args = append(args, "--appid", id)
	}
	for _, f := range w.API.Faults {
		args = append(args, "--fault", f)
	}
	var line string
	if w.wechat, line, err = w.program.start(ctx, w.dir, "# WeChat simulator at ", Profiles{}, args...); err != nil {
		return err
	}
	w.api, _, _ = strings.Cut(strings.TrimPrefix(line, "# WeChat simulator at "), ",")
	return nil
}

// configure writes the service's configuration.
func (w *world) configure() (path string, err error) {
	s := &w.Service
	publish, input, durable := "async", inputStream, "file"
	if s.Atomic {
		publish = "atomic"
	}
	if w.Load.Streams {
		input += "_{appid}"
	}
	if s.Memory {
		durable = "memory"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "nats: {url: %q}\n", w.url)
	fmt.Fprintf(&b, "input: {stream: %q, start: all, durable_storage: %s}\n", input, durable)
	fmt.Fprintf(&b, "output: {publish: %s}\n", publish)
	fmt.Fprintf(&b, "batch: {size: %d, window: %s, window_max: %s, pace: %s}\n", s.BatchSize, s.Window, max(s.Window, time.Second), s.Pace)
	fmt.Fprintf(&b, "recent: {max_age: %s}\n", s.RecentAge)
	b.WriteString("http: {listen: \"127.0.0.1:0\"}\nlog: {level: warn}\naccounts:\n")
	for _, id := range w.appids() {
		fmt.Fprintf(&b, "  - {appid: %s, secret_env: %s, api: %q, concurrency: %d}\n", id, secretEnv, w.api, s.Concurrency)
	}
	path = filepath.Join(w.dir, "wxenrich.yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// asked is what WeChat was asked until now.
func (w *world) asked(ctx context.Context) (calls, openids int, err error) {
	var all map[string]wechattest.Stats
	if err := w.sim(ctx, http.MethodGet, "stats", &all); err != nil {
		return 0, 0, err
	}
	for _, s := range all {
		calls += s.Calls["user/info/batchget"] + s.Calls["user/info"]
		openids += s.OpenIDs
	}
	return calls, openids, nil
}

// killTokens makes the accounts' tokens invalid.
func (w *world) killTokens(ctx context.Context) error {
	for i := range w.Load.Accounts {
		if err := w.sim(ctx, http.MethodPost, "kill-tokens?appid="+url.QueryEscape(appid(i)), nil); err != nil {
			return err
		}
	}
	return nil
}

// sim uses the simulator's own controls.
func (w *world) sim(ctx context.Context, method, what string, reply any) error {
	req, err := http.NewRequestWithContext(ctx, method, w.api+"/_sim/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("simulator: %s %s: %s", method, what, resp.Status)
	}
	if reply == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(reply)
}

// refuse has the output take nothing for a while.
func (w *world) refuse(ctx context.Context, d time.Duration) error {
	stream, err := w.js.Stream(ctx, outputStream)
	if err != nil {
		return err
	}
	open := stream.CachedInfo().Config
	closed := open
	closed.MaxMsgs = max(1, int64(stream.CachedInfo().State.Msgs))
	if _, err := w.js.UpdateStream(ctx, closed); err != nil {
		return err
	}
	pause(ctx, d)
	_, err = w.js.UpdateStream(ctx, open)
	return err
}

func (w *world) close() {
	if w.nc != nil {
		w.nc.Close()
	}
	for _, c := range []*child{w.wechat, w.nats} {
		if c != nil {
			c.kill()
		}
	}
	_ = os.RemoveAll(w.dir)
	if w.lock != nil {
		_ = w.lock.Close()
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
