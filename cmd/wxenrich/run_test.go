package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// everything is what a whole run may take on a busy machine.
const everything = 3 * time.Minute

// send publishes events first to first+n-1 of the mix, and returns what must
// become of each, by its sequence in the stream.
func send(t *testing.T, js jetstream.JetStream, mix traffic.Mix, first, n int) map[uint64]traffic.Event {
	t.Helper()
	sent := make(map[uint64]traffic.Event, n)
	futures := make([]jetstream.PubAckFuture, n)
	for i := range n {
		var err error
		if futures[i], err = js.PublishMsgAsync(mix.Event(first+i).Msg, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range futures {
		select {
		case ack := <-f.Ok():
			sent[ack.Sequence] = mix.Event(first + i)
		case err := <-f.Err():
			t.Fatal(err)
		}
	}
	return sent
}

// answered is what the output streams hold for one event.
type answered struct {
	id, openid string
	is         traffic.Want
	user       events.Value
}

// collect reads the output streams until every event has its answer, and fails
// the test if one has two.
func collect(t *testing.T, js jetstream.JetStream, n int) map[uint64]answered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), everything)
	defer cancel()
	found := make(chan jetstream.Msg, 1000)
	for _, stream := range []string{"WX_PROFILES", "WX_DEAD"} {
		c, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		consuming, err := c.Consume(func(m jetstream.Msg) { found <- m })
		if err != nil {
			t.Fatal(err)
		}
		defer consuming.Stop()
	}
	all := make(map[uint64]answered, n)
	for len(all) < n {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d events are answered", len(all), n)
		case m := <-found:
			src, _, dead, err := events.ParseMsgID(m.Headers().Get(events.HeaderMsgID))
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := all[src.Seq]; twice {
				t.Errorf("event %d is answered twice", src.Seq)
			}
			h := m.Headers()
			if dead {
				all[src.Seq] = answered{id: h.Get(events.HeaderDeadEventID), is: traffic.Want(h.Get(events.HeaderDeadReason))}
				continue
			}
			r, err := events.ParseRecord(h, m.Data())
			if err != nil {
				t.Fatal(err)
			}
			all[src.Seq] = answered{r.Event.ID, r.Event.OpenID, traffic.Want(r.Status), r.User.Raw}
		}
	}
	return all
}

// compare holds the answers against what was sent and what WeChat has.
func (w *world) compare(t *testing.T, sent map[uint64]traffic.Event, got map[uint64]answered) {
	t.Helper()
	wrong := 0
	for seq, e := range sent {
		a := got[seq]
		ok := a.id == e.ID && a.is == e.Want
		if a.is == traffic.Following {
			row, _ := w.account.User(e.OpenID)
			ok = ok && a.openid == e.OpenID && sameJSON(t, row, a.user)
		}
		if !ok {
			if wrong++; wrong < 5 {
				t.Errorf("event %s (%s) became %s (%s)", e.ID, e.Want, a.id, a.is)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d answers are wrong", wrong)
	}
}

// sameJSON compares a row with a record's user, number for number.
func sameJSON(t *testing.T, want []byte, got events.Value) bool {
	t.Helper()
	have, err := got.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(exact(t, want), exact(t, have))
}

func exact(t *testing.T, raw []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRunAnswersFiftyThousandMixedEvents(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"msgpack", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.environ = append(w.environ, "WXENRICH_OUTPUT_FORMAT="+format, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all")
			js := w.streams(t)
			sent := send(t, js, traffic.Mix{AppID: testAppID, Prefix: "e", People: w.account, Persons: 1000}, 0, 25_000)
			run := w.background(t, "run")
			run.out.waitFor("lane is running")
			w.compare(t, sent, collect(t, js, len(sent)))
			if code := run.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// process is the program as a process of its own.
type process struct {
	cmd   *exec.Cmd
	out   *watched
	ended chan struct{}
}

func (w *world) process(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0], args...), out: newWatched(t), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"BE=wxenrich", "GORACE=atexit_sleep_ms=0"}, w.environ...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state has what matters
		close(p.ended)
		p.out.end()
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	return p
}

// up waits until the process prints text, and fails the test if it ends first.
func (p *process) up(t *testing.T, text string) {
	t.Helper()
	p.out.waitFor(text)
}

// end sends a signal and returns the exit code, -1 for a kill.
func (p *process) end(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	return p.code()
}

// code waits for the end.
func (p *process) code() int {
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

func TestSIGTERMInMidBatchUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all")
	js := w.streams(t)
	latency := wechattest.Uniform(20*time.Millisecond, 80*time.Millisecond)
	w.sim.Inject(wechattest.Fault{Do: wechattest.Action{Latency: &latency}})
	sent := send(t, js, traffic.Mix{AppID: testAppID, Prefix: "e", People: w.account}, 0, 1000)
	for range 3 {
		p := w.process(t, "run")
		p.up(t, "lane is running")
		if code := p.end(t, syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d after SIGTERM:\n%s", code, p.out.waitFor(""))
		}
	}
	p := w.process(t, "run")
	w.compare(t, sent, collect(t, js, len(sent)))
	p.end(t, syscall.SIGTERM)
}

// freePort is a port of loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestEmbeddedServerSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listen, store := freePort(t), filepath.Join(t.TempDir(), "store")
	path := filepath.Join(t.TempDir(), "embedded.yaml")
	text := fmt.Sprintf("nats: {embedded: true, store_dir: %q, listen: %q}\naccounts: [{appid: %s, secret_env: WX_SECRET, api: %q}]\n", store, listen, testAppID, w.api)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.environ = append(w.environ, "WXENRICH_CONFIG="+path, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all", "WXENRICH_INPUT_ACK_WAIT=5s")
	mix := traffic.Mix{AppID: testAppID, Prefix: "e", People: w.account}
	sent := make(map[uint64]traffic.Event)
	for round := range 3 {
		p := w.process(t, "run")
		p.up(t, "lane is running")
		nc := connect(t, "nats://"+listen)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(sent, send(t, js, mix, 300*round, 300))
		nc.Close()
		p.end(t, syscall.SIGKILL)
	}
	p := w.process(t, "run")
	p.up(t, "lane is running")
	second := w.process(t, "run") // while the first one runs
	if code := second.code(); code != exitUsage {
		t.Errorf("a second process on the same folder: exit code %d\n%s", code, second.out)
	}
	js, err := jetstream.New(connect(t, "nats://"+listen))
	if err != nil {
		t.Fatal(err)
	}
	w.compare(t, sent, collect(t, js, len(sent)))
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out.waitFor(""))
	}
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestRunLimitAnswersSoManyAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all")
	js := w.streams(t)
	send(t, js, traffic.Mix{AppID: testAppID, Prefix: "e", People: w.account, Clean: true}, 0, 500)
	w.run(t, "", "run", "--limit", "120").want(t, 0, "", "events=120 records=120")
	stream, err := js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 120 {
		t.Errorf("%d records, want 120", n)
	}
}

func TestRunAsksWhereToBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN=")
	send(t, w.streams(t), traffic.Mix{AppID: testAppID, People: w.account, Clean: true}, 0, 10)
	r := w.run(t, "", "run")
	r.want(t, exitUsage, "", "already holds 10 events")
	r.want(t, exitUsage, "", "hint: set input.start to")
}

func TestRunReportsReadiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listen, profiles := freePort(t), freePort(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN="+listen, "WXENRICH_HTTP_PPROF="+profiles)
	js := w.streams(t)
	run := w.background(t, "run")
	run.out.waitFor("lane is running")
	if status, body := get(t, "http://"+listen+"/readyz"); status != 200 || !strings.Contains(body, `"phase":"running"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	send(t, js, traffic.Mix{AppID: testAppID, People: w.account, Clean: true}, 0, 10)
	collect(t, js, 10)
	var metrics string
	for _, line := range []string{`wxenrich_records_total{appid="` + testAppID + `"`, `wxenrich_lane_ready{appid="` + testAppID + `"`,
		`wxenrich_event_duration_seconds_count{appid="` + testAppID + `"`, `wxenrich_batch_wait_seconds_count{appid="` + testAppID + `"`,
		`wxenrich_publish_duration_seconds_count{appid="` + testAppID + `"`,
		`wxenrich_api_duration_seconds_count{appid="` + testAppID + `",class="",endpoint="user/info/batchget",errcode="0"`} {
		for deadline := time.Now().Add(everything); !strings.Contains(metrics, line); { // a record is there before its lane knows
			if _, metrics = get(t, "http://"+listen+"/metrics"); time.Now().After(deadline) {
				t.Fatalf("/metrics lacks %s", line)
			}
		}
	}
	if strings.Contains(metrics, w.account.OpenID(0)) {
		t.Error("/metrics shows an openid")
	}
	w.account.SetSecret("another")
	w.account.KillTokens()
	send(t, js, traffic.Mix{AppID: testAppID, People: w.account, Clean: true}, 10, 10)
	run.out.waitFor("on hold")
	status, body := get(t, "http://"+listen+"/readyz")
	if status != 503 || !strings.Contains(body, `"phase":"held"`) || !strings.Contains(body, `"hint"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := get(t, "http://"+listen+"/debug/pprof/cmdline"); status != 404 {
		t.Errorf("profiles are served beside the metrics: %d", status)
	}
	if status, body := get(t, "http://"+profiles+"/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "pipeline.(*loop).run") {
		t.Errorf("profile: %d %s", status, body)
	}
	if status, _ := get(t, "http://"+profiles+"/metrics"); status != 404 {
		t.Errorf("metrics are served beside the profiles: %d", status)
	}
	if status, _ := get(t, "http://"+listen+"/livez"); status != 200 {
		t.Errorf("/livez: %d", status)
	}
	if status, body := get(t, "http://"+listen+"/readyz?exclude=holds"); status != 200 || !strings.Contains(body, `"phase":"held"`) {
		t.Errorf("/readyz?exclude=holds: %d %s", status, body)
	}
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := run.out.waitFor(""); strings.Contains(log, testSecret) || strings.Contains(log, w.account.OpenID(11)) {
		t.Errorf("the log shows a secret or an openid:\n%s", log)
	}
}

// A paused durable is no replica's fault: who asks for an account's state is told
// of it, a rollout goes on.
func TestPauseIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listen := freePort(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN="+listen)
	js := w.streams(t)
	durable := "wxenrich-" + testAppID
	if _, err := js.CreateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy,
		FilterSubject: "wx.events." + testAppID + ".subscribe", MaxAckPending: 4000}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PauseConsumer(t.Context(), "WX_EVENTS", durable, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	run := w.background(t, "run")
	run.out.waitFor("lane is running")
	if status, body := get(t, "http://"+listen+"/readyz"); status != 503 || !strings.Contains(body, `"phase":"paused"`) ||
		!strings.Contains(body, `"hint":"nats consumer resume WX_EVENTS `+durable) || !strings.Contains(body, `"next_try":`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, body := get(t, "http://"+listen+"/readyz?exclude=holds"); status != 200 || !strings.Contains(body, `"phase":"paused"`) {
		t.Errorf("/readyz?exclude=holds: %d %s", status, body)
	}
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An orchestrator must not kill a process for a server that is away.
func TestRunLivesWithoutNATS(t *testing.T) {
	t.Parallel()
	listen := freePort(t)
	w := &world{environ: []string{"WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_ENV=WX_SECRET", "WX_SECRET=" + testSecret,
		"WXENRICH_HTTP_LISTEN=" + listen, "NATS_URL=nats://" + freePort(t)}}
	run := w.background(t, "run")
	run.out.waitFor("waiting for NATS")
	if status, _ := get(t, "http://"+listen+"/livez"); status != 200 {
		t.Errorf("/livez: %d", status)
	}
	if status, body := get(t, "http://"+listen+"/readyz?exclude=holds"); status != 503 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// With a token whoever has none learns whether it lives and is ready, and
// nothing else.
func TestRunAsksForAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path, listen := filepath.Join(t.TempDir(), "token"), freePort(t)
	write(t, path, "first\n")
	profiles := freePort(t)
	w.environ = append(w.environ, "WXENRICH_HTTP_LISTEN="+listen, "WXENRICH_HTTP_TOKEN_FILE="+path, "WXENRICH_HTTP_PPROF="+profiles)
	run := w.background(t, "run")
	run.out.waitFor("lane is running")
	ask := func(path, authorization string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer second", "Basic first", "first"} {
		if status, body := ask("/metrics", wrong); status != 401 || strings.Contains(body, testAppID) {
			t.Errorf("%q: /metrics: %d %s", wrong, status, body)
		}
		if status, body := ask("/readyz", wrong); status != 200 || body != "" {
			t.Errorf("%q: /readyz: %d %s", wrong, status, body)
		}
		if status, _ := ask("/livez", wrong); status != 200 {
			t.Errorf("%q: /livez: %d", wrong, status)
		}
	}
	if status, _ := get(t, "http://"+profiles+"/debug/pprof/cmdline"); status != 401 {
		t.Errorf("profiles without a token: %d", status)
	}
	for _, token := range []string{"first", "second"} { // which takes over without a restart
		write(t, path, token)
		for _, shown := range []string{"/metrics", "/readyz"} {
			if status, body := ask(shown, "bearer "+token); status != 200 || !strings.Contains(body, testAppID) {
				t.Errorf("%s: %s: %d %s", token, shown, status, body)
			}
		}
	}
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	write(t, path, " ")
	w.run(t, "", "run").want(t, exitUsage, "", "http.token_file: ")
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}
