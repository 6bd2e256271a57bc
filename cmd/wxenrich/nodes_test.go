//go:build unix

package main

import (
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

var threeNodes = flag.Bool("nodes", false, "run the three servers of deploy/nats/node.conf")

// TestThreeNodes starts the three servers of the example configuration, with
// its users and three replicas of everything, and takes one of them away: the
// service goes on.
func TestThreeNodes(t *testing.T) {
	if !*threeNodes {
		t.Skip("only with -nodes")
	}
	nodes := startNodes(t)
	g := &guarded{world: &world{sim: wechattest.New()}, log: new(violations), url: nodes[0].ClientURL()}
	g.account = g.sim.AddAccount(wechattest.AccountConfig{AppID: testAppID, Secret: testSecret, Followers: 100})
	api := httptest.NewServer(g.sim)
	t.Cleanup(api.Close)
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.ClientURL())
	}
	g.environ = []string{"WX_SECRET=" + testSecret, "WXENRICH_ACCOUNTS_0_APPID=" + testAppID, "WXENRICH_ACCOUNTS_0_SECRET_ENV=WX_SECRET",
		"WXENRICH_ACCOUNTS_0_API=" + api.URL, "WXENRICH_INPUT_START=all", "WXENRICH_HTTP_LISTEN=", "WXENRICH_MANAGE=verify",
		"WXENRICH_INPUT_REPLICAS=3", "WXENRICH_OUTPUT_REPLICAS=3", "WXENRICH_DEAD_REPLICAS=3", "WXENRICH_STATE_REPLICAS=3",
		"NATS_URL=" + strings.Join(urls, ",")}
	g.own = len(g.environ)

	js := g.connect(t, "setup")
	insist := func(what string, do func() error) { // a cluster answers when it has elected somebody
		t.Helper()
		deadline := time.Now().Add(patience)
		err := do()
		for ; err != nil && time.Now().Before(deadline); err = do() {
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, s := range []events.StreamSpec{{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}, {Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}},
		{Name: "WX_DEAD", Subjects: []string{"wx.dead.>"}}} {
		s.Replicas, s.AllowAtomic = 3, s.Name != "WX_EVENTS"
		insist(s.Name, func() error { _, _, err := events.EnsureStream(t.Context(), js, s, events.Create); return err })
	}
	insist("bucket", func() error {
		_, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE", Replicas: 3})
		return err
	})
	durable := "wxenrich-" + testAppID
	insist("durable", func() error {
		_, err := js.CreateOrUpdateConsumer(t.Context(), "WX_EVENTS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy,
			FilterSubject: "wx.events." + testAppID + ".subscribe", MaxDeliver: -1, MaxAckPending: 2800})
		return err
	})
	g.as("wxenrich")
	run := g.background(t, "run")
	if out := run.out.waitForAny("lane is running", "wxenrich: "); !strings.Contains(out, "lane is running") {
		t.Fatal(out)
	}
	g.as("producer")
	for i := range 20 {
		g.does(t, "publish", g.account.OpenID(i))
	}
	waitFor(t, js, "WX_PROFILES", 20)

	gone := nodes[2]
	gone.Shutdown()
	gone.WaitForShutdown()
	for i := range 20 {
		g.does(t, "publish", g.account.OpenID(20+i))
	}
	insist("the records of all events", func() error {
		s, err := js.Stream(t.Context(), "WX_PROFILES")
		if err == nil && s.CachedInfo().State.Msgs != 40 {
			err = fmt.Errorf("%d records", s.CachedInfo().State.Msgs)
		}
		return err
	})
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// startNodes runs the configuration three times. What differs is the ports, and
// how the servers are called: here nobody resolves nats-1.
func startNodes(t *testing.T) []*server.Server {
	t.Helper()
	setPasswords(t)
	var routes []*url.URL
	var ports []int
	for range 3 {
		u, err := url.Parse("nats://" + freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(u.Host)
		if err != nil {
			t.Fatal(err)
		}
		n, err := net.LookupPort("tcp", port)
		if err != nil {
			t.Fatal(err)
		}
		routes, ports = append(routes, u), append(ports, n)
	}
	var nodes []*server.Server
	for i := range 3 {
		t.Setenv("NODE", fmt.Sprintf("nats-%d", i+1))
		t.Setenv("DATA", t.TempDir())
		opts, err := server.ProcessConfigFile(deploy + "nats/node.conf")
		if err != nil {
			t.Fatal(err)
		}
		opts.Host, opts.Port, opts.HTTPPort, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, 0, true, true
		opts.Cluster.Host, opts.Cluster.Port, opts.Routes = "127.0.0.1", ports[i], routes
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		nodes = append(nodes, s)
	}
	for _, s := range nodes {
		if !s.ReadyForConnections(patience) {
			t.Fatal("a server does not start")
		}
	}
	return nodes
}
