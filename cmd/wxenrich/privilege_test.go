//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway"
	"github.com/wxenrich/wxenrich/wechat/push"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// guarded is a NATS server with the users of deploy/nats/accounts.conf, and a
// simulated WeChat.
type guarded struct {
	*world
	url string
	log *violations
	own int // of the environment, before what as adds
}

// violations collects what the server has denied.
type violations struct {
	mu   sync.Mutex
	seen []string
}

func (v *violations) Errorf(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); strings.Contains(line, "Violation") {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen = append(v.seen, line)
	}
}
func (v *violations) Noticef(string, ...any) {}
func (v *violations) Warnf(string, ...any)   {}
func (v *violations) Fatalf(string, ...any)  {}
func (v *violations) Debugf(string, ...any)  {}
func (v *violations) Tracef(string, ...any)  {}

// take returns what was denied since the last call.
func (v *violations) take() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.seen
	v.seen = nil
	return seen
}

// TestLeastPrivilege has each user of the example configuration do its job, and
// try what is not its job. It is not parallel: the file takes passwords from
// the environment.
func TestLeastPrivilege(t *testing.T) {
	g := newGuarded(t)
	g.prepare(t)
	id := g.account.OpenID(0)

	g.as("producer")
	g.does(t, "publish", id, g.account.OpenID(1))
	if _, err := g.connect(t, "producer").Publish(t.Context(), "wx.events."+testAppID+".subscribe", []byte("{")); err != nil {
		t.Error(err)
	}
	g.as("gateway")
	g.pushes(t)
	g.as("wxenrich")
	run := g.background(t, "run")
	if out := run.out.waitForAny("lane is running", "wxenrich: "); !strings.Contains(out, "lane is running") {
		t.Fatalf("%s\n%s", out, strings.Join(g.log.take(), "\n"))
	}
	js := g.connect(t, "setup")
	waitFor(t, js, "WX_PROFILES", 3)
	waitFor(t, js, "WX_DEAD", 1)

	g.consumes(t, 2)

	g.as("operator")
	withInbox := g.environ
	g.environ = g.environ[:len(g.environ)-1]
	g.run(t, "", "doctor").want(t, exitFailed, "fail  permissions: listening to _INBOX_wxenrich.> is denied: no reply is heard\n      set nats.inbox_prefix", "")
	g.log.take()
	g.environ = withInbox
	g.does(t, "tail", "--limit", "2", "--since", "1h")
	g.does(t, "status")
	g.does(t, "audit")
	g.does(t, "explain", id)
	g.does(t, "dead", "list")
	g.does(t, "hold")
	run.out.waitFor("on hold")
	g.does(t, "resume")
	run.out.waitFor("trying the account again")
	g.does(t, "replay", "--from-seq", "1")
	waitFor(t, js, "WX_PROFILES", 6)
	g.does(t, "replay", "list")
	g.does(t, "dead", "show", "1")
	g.does(t, "dead", "export")
	g.does(t, "dead", "redrive", "--reason", "undecodable") // which dies again
	waitFor(t, js, "WX_DEAD", 1)
	g.does(t, "backfill", "--detach")
	waitFor(t, js, "WX_PROFILES", 16) // ten followers
	g.does(t, "jobs", "list")
	g.does(t, "dead", "purge", "--yes", "--reason", "undecodable")
	g.as("eraser")
	g.does(t, "erase", "--openid", id, "--yes", "--settle", "0s")
	g.as("operator")
	g.does(t, "audit")
	if seen := g.log.take(); len(seen) > 0 {
		t.Errorf("denied, though it is somebody's job:\n%s", strings.Join(seen, "\n"))
	}
	if code := run.end(); code != 0 {
		t.Errorf("run: exit code %d", code)
	}
	g.as("wxenrich")
	if r := g.run(t, "", "doctor"); !strings.Contains(r.out, "subjects that were tried are allowed") {
		t.Errorf("the doctor misses something: %s", r.out)
	}
	g.log.take() // the doctor asks whether it may do anything, which it may not

	durables := slices.Concat(attempts("WX_EVENTS", "wxenrich-"+testAppID), attempts("CRM_wx00000000000000b2", "crm-wx00000000000000b2"))
	readers := slices.Concat(attempts("WX_PROFILES", "crm"), attempts("WX_PROFILES", "warehouse"))
	others := slices.Concat(attempts("WX_PROFILES", "x"), []string{"$JS.API.CONSUMER.DELETE.WX_PROFILES.crm", "$JS.API.CONSUMER.CREATE.WX_PROFILES.crm", "$JS.API.CONSUMER.CREATE.WX_PROFILES.crm.wx.profiles.x", "$JS.ACK.WX_PROFILES.x.1.1.1.1.1"})
	users := []string{"setup", "producer", "gateway", "wxenrich", "consumer", "operator", "eraser"}
	for user, subjects := range map[string][]string{
		"producer": {"wx.messages.x.text", "wx.crawls.x.y", "wx.profiles.x", "wx.dead.x.rejected", "$KV.WX_STATE.hold.x", "$JS.API.STREAM.INFO.WX_PROFILES", "$JS.API.STREAM.MSG.GET.WX_EVENTS", "$JS.API.CONSUMER.CREATE.WX_EVENTS.x"},
		"gateway":  {"wx.crawls.x.y", "wx.profiles.x", "wx.dead.x.rejected", "$KV.WX_STATE.hold.x", "$JS.API.STREAM.MSG.GET.WX_EVENTS", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.PURGE.WX_MESSAGES", "$JS.API.CONSUMER.CREATE.WX_PROFILES.x", "$JS.ACK.WX_EVENTS.wxenrich-" + testAppID + ".1.1.1.1.1"},
		"wxenrich": {"wx.messages.x.text", "$JS.API.STREAM.CREATE.WX_CRAWLS", "$JS.API.STREAM.PURGE.WX_DEAD", "$JS.API.CONSUMER.CREATE.WX_MESSAGES.x", "wx.events.x.subscribe", "$JS.API.STREAM.DELETE.WX_EVENTS", "$JS.API.STREAM.PURGE.WX_EVENTS", "$JS.API.STREAM.UPDATE.WX_PROFILES", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.MSG.DELETE.WX_EVENTS", "$JS.API.STREAM.MSG.DELETE.WX_PROFILES", "$JS.API.CONSUMER.CREATE.OTHER.x", "other"},
		"consumer": {"wx.crawls.x.y", "$JS.API.CONSUMER.CREATE.WX_CRAWLS.x", "$JS.API.CONSUMER.CREATE.WX_MESSAGES.x", "$JS.ACK.WX_DEAD.x.1.1.1.1.1", "wx.events.x.subscribe", "wx.profiles.x", "$JS.API.CONSUMER.CREATE.WX_EVENTS.x", "$JS.API.CONSUMER.CREATE.WX_DEAD.x", "$JS.API.STREAM.MSG.GET.WX_EVENTS", "$KV.WX_STATE.hold.x", "$JS.ACK.WX_EVENTS.wxenrich-" + testAppID + ".1.1.1.1.1"},
		"operator": {"wx.crawls.x.y", "wx.events.x.backfill", "$JS.ACK.WX_DEAD.x.1.1.1.1.1", "wx.events.x.subscribe", "wx.profiles.x", "wx.dead.x.rejected", "$JS.API.STREAM.DELETE.WX_EVENTS", "$JS.API.STREAM.PURGE.WX_DEAD", "$JS.API.STREAM.MSG.DELETE.WX_EVENTS", "$JS.API.STREAM.MSG.DELETE.WX_PROFILES"},
		"eraser":   {"wx.events.x.subscribe", "wx.profiles.x", "$JS.API.STREAM.DELETE.WX_EVENTS", "$JS.API.STREAM.PURGE.WX_PROFILES", "$JS.API.STREAM.MSG.DELETE.KV_WX_STATE"},
	} {
		switch user {
		case "wxenrich":
			subjects = append(subjects, readers...)
		case "consumer":
			subjects = append(subjects, others...)
		default:
			subjects = slices.Concat(subjects, durables, readers)
		}
		nc := g.dial(t, user)
		for _, subject := range subjects {
			if err := nc.Publish(subject, []byte("{")); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(g.log.take(), func(line string) bool { return strings.Contains(line, `"`+subject+`"`) }) {
				t.Errorf("%s may publish to %s", user, subject)
			}
		}
		closed := []string{"wx.profiles.>", "wx.events.>", "_INBOX.>", "_INBOX_other.>", "*.>", "$KV.>", ">"}
		for _, other := range users {
			if other != user {
				closed = append(closed, inboxOf(other)+".>")
			}
		}
		for _, subject := range closed {
			if _, err := nc.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(g.log.take(), func(line string) bool { return strings.Contains(line, `"`+subject+`"`) }) {
				t.Errorf("%s may listen to %s", user, subject)
			}
		}
	}
}

// attempts are requests with which a durable is changed, deleted, or pulled from.
func attempts(stream, durable string) (subjects []string) {
	of := stream + "." + durable
	for _, verb := range []string{"CREATE." + of, "CREATE." + of + ".wx.x", "DELETE." + of, "MSG.NEXT." + of} {
		subjects = append(subjects, "$JS.API.CONSUMER."+verb)
	}
	return subjects
}

// consumes has a consumer take n records from a durable that was made for it.
func (g *guarded) consumes(t *testing.T, n int) {
	t.Helper()
	if _, err := g.connect(t, "setup").CreateConsumer(t.Context(), "WX_PROFILES", jetstream.ConsumerConfig{Durable: "crm", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	s, err := events.NewSubscriber(t.Context(), g.connect(t, "consumer"), events.SubscriberConfig{Durable: "crm"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Run(ctx, func(context.Context, *events.Delivery) error {
		if n--; n == 0 {
			cancel()
		}
		return nil
	}); err != nil || n > 0 {
		t.Errorf("%d records are missing: %v", n, err)
	}
	if seen := g.log.take(); len(seen) > 0 {
		t.Errorf("denied to the consumer:\n%s", strings.Join(seen, "\n"))
	}
}

// setPasswords gives each user of accounts.conf one.
func setPasswords(t *testing.T) {
	t.Helper()
	for _, name := range passwords(t) {
		t.Setenv(name, "of-"+strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "NATS_"), "_PASSWORD")))
	}
}

// passwords are the variables that accounts.conf takes from the environment.
func passwords(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(deploy + "nats/accounts.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$(\w+_PASSWORD)\b`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// Whoever has the server's passwords in the environment can start the service.
func TestServersPasswordsInOurEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range passwords(t) {
		w.environ = append(w.environ, name+"=hush")
	}
	w.run(t, "", "config", "check").want(t, 0, "", "")
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	setPasswords(t)
	opts, err := server.ProcessConfigFile(withDurables(t))
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.StoreDir, opts.JetStream, opts.NoSigs = "127.0.0.1", -1, t.TempDir(), true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{world: &world{sim: wechattest.New()}, log: new(violations)}
	s.SetLoggerV2(g.log, false, false, false)
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	g.url = s.ClientURL()
	g.account = g.sim.AddAccount(wechattest.AccountConfig{AppID: testAppID, Secret: testSecret, Followers: 10})
	api := httptest.NewServer(g.sim)
	t.Cleanup(api.Close)
	g.environ = []string{"WX_SECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_ENV=WX_SECRET",
		"WXENRICH_ACCOUNTS_0_API=" + api.URL, "NATS_URL=" + g.url, "WXENRICH_INPUT_START=all", "WXENRICH_HTTP_LISTEN="}
	g.own = len(g.environ)
	return g
}

// withDurables is accounts.conf beside what the program prints for a second
// account, which has a stream of its own, and for two readers.
func withDurables(t *testing.T) (path string) {
	t.Helper()
	w := &world{environ: []string{"WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_ENV=WX_SECRET", "WX_SECRET=" + testSecret,
		"WXENRICH_ACCOUNTS_1_APPID=wx00000000000000b2", "WXENRICH_ACCOUNTS_1_SECRET_ENV=WX_SECRET",
		"WXENRICH_ACCOUNTS_1_INPUT_STREAM=CRM_{appid}", "WXENRICH_ACCOUNTS_1_INPUT_DURABLE=crm-{appid}"}}
	r := w.run(t, "", "config", "durables", "--reader", "crm,warehouse")
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	dir := t.TempDir()
	text, err := os.ReadFile(deploy + "nats/accounts.conf")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "accounts.conf")
	write(t, path, string(text))
	write(t, filepath.Join(dir, "durables.conf"), r.out)
	return path
}

// The file that is there is for one account and one reader; one that nobody reads
// is taken by the server as well, and no name can put in what is not a durable's.
func TestDurablesConf(t *testing.T) {
	setPasswords(t)
	w := &world{environ: []string{"WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_ENV=WX_SECRET", "WX_SECRET=" + testSecret}}
	r := w.run(t, "", "config", "durables", "--reader", "crm")
	path := deploy + "nats/durables.conf"
	if *update {
		write(t, path, r.out)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != r.out {
		t.Errorf("%v: run with -update; want\n%s", err, r.out)
	}
	accounts := withDurables(t)
	r = w.run(t, "", "config", "durables")
	write(t, filepath.Join(filepath.Dir(accounts), "durables.conf"), r.out)
	if _, err := server.ProcessConfigFile(accounts); err != nil {
		t.Errorf("without readers: %v\n%s", err, r.out)
	}
	for _, wrong := range []string{"a.b", ">", "a b", `\`} {
		w.run(t, "", "config", "durables", "--reader="+wrong).want(t, exitUsage, "", "want the name of a durable")
	}
}

// prepare makes the streams and the bucket, as an administrator does.
func (g *guarded) prepare(t *testing.T) {
	t.Helper()
	js := g.connect(t, "setup")
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_MESSAGES": "wx.messages.>", "WX_PROFILES": "wx.profiles.>", "WX_DEAD": "wx.dead.>", "WX_CRAWLS": "wx.crawls.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, Duplicates: 10 * time.Minute,
			MaxAge: 30 * 24 * time.Hour, Discard: jetstream.DiscardNew, AllowDirect: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE", LimitMarkerTTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
}

// pushes has a gateway store a follow, and look at what is stored as its spool
// does after a long outage.
func (g *guarded) pushes(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), pushToken)
	write(t, filepath.Join(dir, "key"), pushAESKey)
	w := *g.world
	w.environ = append(slices.Clone(w.environ), "WXENRICH_ACCOUNTS_0_PUSH_TOKEN_FILE="+filepath.Join(dir, "token"), "WXENRICH_ACCOUNTS_0_PUSH_AES_KEY_FILE="+filepath.Join(dir, "key"),
		"WXENRICH_GATEWAY_LISTEN="+freePort(t), "WXENRICH_GATEWAY_HTTP_LISTEN=", "WXENRICH_GATEWAY_SPOOL_DIR="+filepath.Join(dir, "spool"))
	b := w.background(t, "gateway")
	b.out.waitFor("gateway is running")
	if got := w.pushFollow(t, g.account.OpenID(2)); got != push.Success {
		t.Errorf("a push is answered %q", got)
	}
	if code := b.end(); code != 0 {
		t.Errorf("gateway: exit code %d", code)
	}
	seen := 0
	if err := gateway.Look(t.Context(), g.connect(t, "gateway"), "wx.events."+testAppID+".subscribe", time.Now().Add(-time.Hour), func(string) { seen++ }); err != nil || seen == 0 {
		t.Errorf("%d ids are seen: %v", seen, err)
	}
}

// inboxOf is the prefix of the only subjects that a user may listen to.
func inboxOf(user string) string { return "_INBOX_" + user }

func (g *guarded) as(user string) {
	g.environ = append(g.environ[:g.own], "NATS_USER="+user, "NATS_PASSWORD=of-"+user)
	if user != "wxenrich" {
		g.environ = append(g.environ, "WXENRICH_NATS_INBOX_PREFIX="+inboxOf(user))
	}
}

// does runs a command that has to succeed.
func (g *guarded) does(t *testing.T, args ...string) {
	t.Helper()
	r := g.run(t, "", args...)
	if seen := g.log.take(); len(seen) > 0 {
		t.Errorf("%v: denied:\n%s", args, strings.Join(seen, "\n"))
	}
	if r.code != 0 {
		t.Errorf("%v: %+v", args, r)
	}
}

func (g *guarded) dial(t *testing.T, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(g.url, nats.UserInfo(user, "of-"+user), nats.CustomInboxPrefix(inboxOf(user)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func (g *guarded) connect(t *testing.T, user string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(g.dial(t, user))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// waitFor waits until a stream holds n messages.
func waitFor(t *testing.T, js jetstream.JetStream, name string, n uint64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // other processes work meanwhile
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		held := stream.CachedInfo().State.Msgs
		if held >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s holds %d messages, want %d", name, held, n)
		}
	}
}

// The three-node configuration syncs what it acknowledges, and has the same users.
func TestClusterConfig(t *testing.T) {
	setPasswords(t)
	t.Setenv("NODE", "nats-1")
	t.Setenv("DATA", t.TempDir())
	opts, err := server.ProcessConfigFile(deploy + "nats/node.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !opts.SyncAlways || !opts.JetStream || len(opts.Routes) != 3 || len(opts.Users) != 8 || opts.SystemAccount != "SYS" {
		t.Errorf("sync always %v, JetStream %v, routes %v, %d users, system account %q", opts.SyncAlways, opts.JetStream, opts.Routes, len(opts.Users), opts.SystemAccount)
	}
}
