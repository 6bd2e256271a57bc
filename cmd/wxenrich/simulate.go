package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// simulateFlags is what the command line says.
type simulateFlags struct {
	listen    string
	appids    []string
	secret    string
	followers int
	bad       int
	latency   string
	faults    []string
	seed      uint64
	shape2015 bool
	push      pushFlags
}

func newSimulateCommand(a *app) *cobra.Command {
	var s simulateFlags
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Run a WeChat simulator",
		Long: `Serves the part of WeChat's API that wxenrich calls, with accounts and followers
of its own, strict where WeChat is strict, and prints how to use it. It runs
until it is interrupted. Below /_sim/ it can be asked for openids and be told to
fail (see the documentation of package wechattest), so let it listen on loopback
only.

With --push new people follow and some leave again, and WeChat's pushes of that go
to "wxenrich gateway" at that URL, signed and encrypted. It prints the account's
push keys, and verifies the address first, as the console does.

A --fault is whom it meets, what it does and how often, with commas between:
  code=-1,probability=0.05                      5 % of all calls: system busy
  endpoint=user/info/batchget,nth=3,reset       the third batchget: a reset
  latency=2s/9s,times=10                        ten calls are slow (median/p99)
or the JSON that POST /_sim/fault of a running simulator takes:
  {"match":{"endpoint":"token"},"do":{"code":40164},"times":2}`,
		Example: `  wxenrich simulate
  wxenrich simulate --listen 127.0.0.1:0 --appid wxa --appid wxb \
    --followers 1000000 --latency 60ms/150ms
  wxenrich simulate --listen 127.0.0.1:0 --bad 2 \
    --fault code=-1,probability=0.05
  wxenrich simulate --listen 127.0.0.1:0 --push-rate 5 \
    --push http://127.0.0.1:8080/wechat`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return simulate(c.Context(), a, s) },
	}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8089", "address to listen on; port 0 picks a free one")
	f.StringArrayVar(&s.appids, "appid", []string{"wxsimulated"}, "account; may be repeated")
	f.StringVar(&s.secret, "secret", "simulated-secret", "AppSecret of the accounts, not a real one")
	f.IntVar(&s.followers, "followers", 10_000, "followers of each account")
	f.IntVar(&s.bad, "bad", 0, "print so many openids that look right and are refused")
	f.StringVar(&s.latency, "latency", "0s", "time of a call, or its median/p99: 60ms, 60ms/150ms")
	f.StringArrayVar(&s.faults, "fault", nil, "fault, see above; may be repeated")
	f.Uint64Var(&s.seed, "seed", 1, "seed of all that is random")
	f.StringVar(&s.push.url, "push", "", "URL of a gateway to push follows to")
	f.StringVar(&s.push.mode, "push-mode", "safe", "plain, compatible or safe")
	f.Float64Var(&s.push.rate, "push-rate", 1, "follows a second, over all accounts")
	f.BoolVar(&s.shape2015, "shape2015", false, "names, avatars and places as before 2021")
	register(c, "push-mode", "plain", "compatible", "safe")
	return c
}

func simulate(ctx context.Context, a *app, s simulateFlags) error {
	server, err := s.server()
	if err != nil {
		return err
	}
	pushers, err := s.push.pushers(server, s.appids)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return usage("--listen: %w", err)
	}
	if err := s.announce(a.out, server, "http://"+l.Addr().String()); err != nil {
		return errors.Join(err, l.Close())
	}
	h := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	if len(pushers) > 0 {
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { s.push.pushAll(ctx, a.out, server, s, pushers); close(ended) }()
		defer func() { cancel(); <-ended }()
	}
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// server makes the simulator that the flags describe.
func (s simulateFlags) server() (*wechattest.Server, error) {
	latency, err := parseLatency(s.latency)
	if err != nil {
		return nil, usage("--latency %w", err)
	}
	server := wechattest.New(wechattest.WithSeed(s.seed), wechattest.WithLatency(latency))
	for _, appid := range s.appids {
		if !events.ValidAppID(appid) {
			return nil, usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", appid)
		}
		cfg := wechattest.AccountConfig{AppID: appid, Secret: s.secret, Followers: s.followers}
		if s.shape2015 {
			cfg.Shape = wechattest.Shape2015
		}
		server.AddAccount(cfg)
	}
	for _, text := range s.faults {
		f, err := parseFault(text)
		if err != nil {
			return nil, usage("--fault %q: %w", text, err)
		}
		server.Inject(f)
	}
	return server, nil
}

// announce prints what to put into the configuration, and whom to ask for.
func (s simulateFlags) announce(w io.Writer, server *wechattest.Server, url string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# WeChat simulator at %s, until interrupted\n", url)
	fmt.Fprintf(&b, "# openids: curl '%s/_sim/users?appid=%s&limit=100'\n", url, s.appids[0])
	fmt.Fprintf(&b, "# for wxenrich.yaml, after: export WX_SIM_SECRET=%s", s.secret)
	if s.push.url != "" {
		fmt.Fprintf(&b, " WX_SIM_PUSH_TOKEN=%s WX_SIM_PUSH_KEY=%s", simulatedPushToken, simulatedPushKey)
	}
	b.WriteString("\naccounts:\n")
	for _, appid := range s.appids {
		fmt.Fprintf(&b, "  - appid: %s\n    secret_env: WX_SIM_SECRET\n    api: %s\n", appid, url)
		if s.push.url != "" {
			fmt.Fprintf(&b, "    push: {token_env: WX_SIM_PUSH_TOKEN, aes_key_env: WX_SIM_PUSH_KEY, original_id: %s}\n", server.Account(appid).OriginalID())
		}
	}
	for _, appid := range s.appids {
		account := server.Account(appid)
		fmt.Fprintf(&b, "# %s: %d followers", appid, s.followers)
		for i := range min(s.followers, 2) {
			fmt.Fprintf(&b, " %s", account.OpenID(i))
		}
		b.WriteString("\n")
		for i := range s.bad {
			fmt.Fprintf(&b, "# %s: refused %s\n", appid, account.BadOpenID(i))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
