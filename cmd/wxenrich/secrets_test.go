//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestNoSecretIsShown runs the service and the gateway at the level debug while
// WeChat fails in every way, has the commands say all that they can, and looks
// for each secret in all of it, and in whatever was stored. The fault suite
// does the same with the logs of processes that panic and are killed.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	const natsPassword, httpToken = "canary-of-the-nats-password", "canary-of-the-http-token"
	w := pushWorld(t)
	w.nats = eventstest.NewServer(t, func(o *server.Options) { o.Username, o.Password = "wx", natsPassword })
	js, err := jetstream.New(w.nats.Connect(nats.UserInfo("wx", natsPassword)))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	secrets := map[string]string{"the AppSecret": testSecret, "NATS's password": natsPassword, "the listener's token": httpToken,
		"the push token": pushToken, "the AES key": pushAESKey}
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("access_token"); token != "" {
			mu.Lock()
			secrets["an access token "+token[:4]] = token
			mu.Unlock()
		}
		w.sim.ServeHTTP(rw, r)
	}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nats"), natsPassword)
	write(t, filepath.Join(dir, "http"), httpToken)
	listen, telemetry := freePort(t), newCollector(t)
	w.environ = append(w.environ, "NATS_URL="+w.nats.URL(), "WXENRICH_NATS_USER=wx", "WXENRICH_NATS_PASSWORD_FILE="+filepath.Join(dir, "nats"),
		"WXENRICH_ACCOUNTS_0_API="+api.URL, "WXENRICH_HTTP_LISTEN="+listen, "WXENRICH_HTTP_TOKEN_FILE="+filepath.Join(dir, "http"),
		"OTEL_EXPORTER_OTLP_ENDPOINT="+telemetry.url, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_BLRP_SCHEDULE_DELAY=50", "OTEL_METRIC_EXPORT_INTERVAL=200",
		"WXENRICH_LOG_LEVEL=debug", "WXENRICH_RETRY_MAX=100ms", "WXENRICH_OUTPUT_FORMAT=json")
	seen := map[string]string{} // what was shown, by where

	for _, do := range []wechattest.Action{{Code: -1}, {Code: 40001}, {Code: 42001}, {Reset: true}, {HTML: true, Status: 502}, {Truncate: 40}, {Body: "{"}} {
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget"}, Times: 2, Do: do})
	}
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "stable_token"}, Times: 1, Do: wechattest.Action{HTML: true, Status: 500}})
	run, gate := w.process(t, "run"), w.process(t, "gateway")
	run.up(t, "lane is running")
	gate.up(t, "taking WeChat's pushes")
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", run.cmd.Process.Pid)); err == nil { // where there is such a file
		seen["the command line"] = string(text)
	}
	if answer := w.pushFollow(t, w.account.OpenID(0)); answer != "success" {
		t.Fatal(answer)
	}
	seen["a push that nobody signed"] = fetch(t, http.DefaultClient, "http://"+w.setting("WXENRICH_GATEWAY_LISTEN")+"/wechat/"+testAppID, nil, "<xml/>")
	for i := range 10 {
		w.run(t, "", "publish", w.account.OpenID(i+1))
	}
	w.run(t, "", "publish", w.account.UnknownOpenID(1))
	if _, err := js.Publish(t.Context(), "wx.events."+testAppID+".subscribe", []byte("{")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, js, "WX_PROFILES", 11)
	waitFor(t, js, "WX_DEAD", 2)

	for _, args := range []string{"config show", "config show --json", "config check", "doctor", "doctor --json", "status", "status --json", "audit --json",
		"explain 1", "dead list", "dead show 1 2", "dead export", "jobs list", "tail --since all --limit 3 --json", "lookup " + w.account.OpenID(3),
		"replay --from-seq 1", "hold --why inspection", "probe", "resume", "doctor --password wrong --user wx"} {
		r := w.run(t, "", strings.Fields(args)...)
		seen["wxenrich "+args] = r.out + r.err
	}
	for path, authorization := range map[string]string{"/metrics": "Bearer " + httpToken, "/readyz": "Bearer " + httpToken, "/livez": "", "/metrics?": "Bearer wrong"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := resp.Write(&b); err != nil {
			t.Fatal(err)
		}
		seen[path] = b.String()
	}
	w.account.SetSecret("another") // and now WeChat refuses it
	w.account.KillTokens()
	w.run(t, "", "publish", w.account.OpenID(20))
	run.up(t, "on hold")
	if code := run.end(t, syscall.SIGTERM) + gate.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit codes sum up to %d", code)
	}
	seen["the service's log"], seen["the gateway's log"] = run.out.waitFor(""), gate.out.waitFor("")
	telemetry.mu.Lock()
	seen["spans, metrics and logs sent"] = telemetry.raw.String()
	telemetry.mu.Unlock()
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		seen["stream "+info.Config.Name] = kept(t, js, info)
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}

	if len(secrets) < 6 || len(seen) < 28 {
		t.Errorf("%d secrets were looked for in %d places", len(secrets), len(seen))
	}
	for where, text := range seen {
		if text == "" && !strings.HasPrefix(where, "wxenrich ") && where != "stream WX_MESSAGES" {
			t.Errorf("%s: there is nothing", where)
		}
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", where, what)
			}
		}
	}
}

// kept is all that a stream holds, headers too.
func kept(t *testing.T, js jetstream.JetStream, info *jetstream.StreamInfo) string {
	t.Helper()
	s, err := js.Stream(t.Context(), info.Config.Name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		if m, err := s.GetMsg(t.Context(), seq); err == nil { // else it has been replaced
			fmt.Fprintln(&b, m.Subject, m.Header, string(m.Data), m.Time.Format(time.RFC3339))
		}
	}
	return b.String()
}
