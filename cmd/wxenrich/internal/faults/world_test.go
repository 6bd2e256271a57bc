//go:build linux

package faults

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const (
	appID   = "wx0123456789abcdef"
	durable = "wxenrich-" + appID
	secret  = "0123456789abcdef0123456789abcdef"
)

// world is what one scenario takes place in: servers, the simulated WeChat, a
// configuration, and whatever replicas of the service it starts.
type world struct {
	t        *testing.T
	rand     *rand.Rand
	servers  []*server
	sim      *wechattest.Server
	account  *wechattest.Account
	login    atomic.Pointer[func()] // called before a token is handed out
	network  *link                  // between the service and the first server
	settings map[string]string      // of the service, as environment variables
	environ  []string               // more of its variables
	natsSeed string                 // of the nkey that the service connects with
	poison   string                 // openid of somebody whose events end the process
	produced int                    // events, by all loads
	js       jetstream.JetStream    // of the test, over links of its own
}

// newWorld starts the servers. Settings are variables without their prefix,
// such as OUTPUT_DUPLICATES; those of the world may be changed before each
// replica.
func newWorld(t *testing.T, servers int, settings map[string]string) *world {
	t.Helper()
	return newWorldOf(t, 10_000_000, servers, settings)
}

// newWorldOf is newWorld with an account of so many followers.
func newWorldOf(t *testing.T, followers, servers int, settings map[string]string) *world {
	t.Helper()
	if !*run && !*long {
		t.Skip("only with -faults or -long")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Name()))
	user, seedOf := newNATSUser(t)
	w := &world{t: t, rand: rand.New(rand.NewPCG(*seed, h.Sum64())), servers: newServers(t, servers, user), natsSeed: seedOf}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run it again with -run '^%s$' -seed %d", t.Name(), *seed)
		}
	})

	w.sim = wechattest.New(wechattest.WithSeed(*seed), wechattest.WithLatency(wechattest.LogNormal(20*time.Millisecond, 80*time.Millisecond)), wechattest.WithLog(1<<20))
	w.account = w.sim.AddAccount(wechattest.AccountConfig{AppID: appID, Secret: secret, Followers: followers})
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.login.Load(); f != nil && strings.HasSuffix(r.URL.Path, "token") {
			(*f)()
		}
		if token := r.URL.Query().Get("access_token"); token != "" {
			secrets.Store(token, "an access token")
		}
		w.sim.ServeHTTP(rw, r)
	}))
	t.Cleanup(api.Close)

	w.settings = make(map[string]string)
	w.watchSecrets() // its look at the servers' files comes when they have ended
	var theirs, ours []string
	for i, s := range w.servers {
		s.begin()
		l := s.link()
		theirs, ours = append(theirs, "nats://"+l.address), append(ours, "nats://"+s.link().address)
		if i == 0 {
			w.network = l
		}
	}
	conf := filepath.Join(t.TempDir(), "wxenrich.yaml")
	text := fmt.Sprintf("accounts: [{appid: %s, secret_env: WX_SECRET, api: %q, concurrency: 8}]\n", appID, api.URL)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	maps.Copy(w.settings, map[string]string{
		"CONFIG": conf, "NATS_URL": strings.Join(theirs, ","), "HTTP_LISTEN": "", "INPUT_START": "all", "INPUT_ACK_WAIT": "5s", "INPUT_DURABLE_STORAGE": *disk, "RETRY_MAX": "2s",
		"LOG_LEVEL": size("debug", "info"),
	})
	maps.Copy(w.settings, settings)
	nc, err := nats.Connect(strings.Join(ours, ","), nats.UserInfo("test", "test"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if w.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second), jetstream.WithPublishAsyncTimeout(ackTimeout)); err != nil {
		t.Fatal(err)
	}
	return w
}

// replica starts one of the service; at names where it shall end by itself, as
// in fault_on.go of pipeline, if that is not empty.
func (w *world) replica(at string) *process {
	w.t.Helper()
	environ := append([]string{"WX_SECRET=" + secret, "FAULT_AT=" + at}, w.environ...)
	for k, v := range w.settings {
		environ = append(environ, "WXENRICH_"+k+"="+v)
	}
	return start(w.t, "wxenrich", "wxenrich", environ, "run")
}

// troubleWeChat makes calls fail in the ways that pass: some percent of them.
func (w *world) troubleWeChat() {
	for _, f := range []struct {
		probability float64
		do          wechattest.Action
	}{
		{0.03, wechattest.Action{Code: -1}},
		{0.01, wechattest.Action{Reset: true}},
		{0.01, wechattest.Action{HTML: true, Status: 502}},
		{0.01, wechattest.Action{Truncate: 300}},
		{0.01, wechattest.Action{MissingRow: true}},
		{0.005, wechattest.Action{DoubledRow: true}},
	} {
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: "user/info/batchget", Probability: f.probability}, Do: f.do})
	}
}

// act is something that is done again and again.
type act struct {
	every time.Duration
	do    func()
}

// until does the acts until done is closed, each after waits of half to one and
// a half times what it says: those the seed decides.
func (w *world) until(done <-chan struct{}, acts ...act) {
	next := make([]time.Time, len(acts))
	draw := func(i int) {
		next[i] = time.Now().Add(time.Duration((0.5 + w.rand.Float64()) * float64(acts[i].every)))
	}
	for i := range acts {
		draw(i)
	}
	deadline := time.After(patience + size(0, 24*time.Hour))
	for {
		first := 0
		for i := range next {
			if next[i].Before(next[first]) {
				first = i
			}
		}
		select {
		case <-done:
			return
		case <-deadline:
			w.t.Fatal("it goes on for too long")
		case <-time.After(time.Until(next[first])):
			acts[first].do()
			draw(first)
		}
	}
}

// between is a random number from least to most.
func (w *world) between(least, most int) int { return least + w.rand.IntN(most-least+1) }
