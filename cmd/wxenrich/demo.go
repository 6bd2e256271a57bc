package main

import (
	"context"
	"log/slog"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/pipeline"
)

// demoFlags is what the command line says.
type demoFlags struct {
	length time.Duration
	rate   float64
	listen string
	http   string
	format string
	plain  bool
	json   bool
}

func newDemoCommand(a *app) *cobra.Command {
	f := demoFlags{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch profiles come out: server, WeChat and traffic in one process",
		Long: `Demo runs the real service against a NATS server of its own and a simulated
WeChat, with traffic in every form that events may have, some of it broken. What
WeChat itself sends is pushed in safe mode through the gateway. It needs nothing
and leaves nothing behind.

Its NATS server takes other clients: join from a second terminal with
"wxenrich publish", "wxenrich tail" or the nats CLI.

It ends with Ctrl-C or after --for, waits for what is in flight, and prints a
summary; exit code 1 means that some event was lost or answered twice.`,
		Example: `  wxenrich demo
  wxenrich demo --for 10s
  wxenrich demo --for 5s --rate 2000 --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), a, f) },
	}
	fl := c.Flags()
	fl.DurationVar(&f.length, "for", 0, "end after so long; 0 runs until Ctrl-C")
	fl.Float64Var(&f.rate, "rate", 200, "events a second, at most 20000")
	fl.StringVar(&f.listen, "listen", "", "address of the NATS server (default 127.0.0.1:4222, or any free port if that is taken)")
	fl.StringVar(&f.http, "http", "", "address for /metrics, /readyz and /livez, such as 127.0.0.1:9464 (default none)")
	fl.StringVar(&f.format, "format", "msgpack", "encoding of the records: msgpack or json")
	fl.BoolVar(&f.plain, "plain", false, "plain lines, also on a terminal")
	fl.BoolVar(&f.json, "json", false, "print the summary only, as JSON")
	register(c, "format", "msgpack", "json")
	return c
}

// Limits of --rate: a demo shares the machine with its user.
const maxDemoRate = 20_000

func demo(ctx context.Context, a *app, f demoFlags) error {
	switch {
	case f.length < 0:
		return usage("--for %s: want a duration such as 10s", f.length)
	case !(f.rate > 0) || f.rate > maxDemoRate:
		return usage("--rate %g: want more than 0 and at most %d", f.rate, maxDemoRate)
	}
	if f.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.length)
		defer cancel()
	}
	if a.logLevel == "" {
		a.logLevel = "warn" // the view is what there is to see
	}
	log, err := a.logger(nil)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE)                           // a reader who leaves ends the demo, but not without tidying up,
	ctx, hungUp := signal.NotifyContext(ctx, syscall.SIGHUP) // and so does a terminal that is closed
	defer hungUp()
	w, err := newDemoWorld(f)
	if err != nil {
		return err
	}
	defer w.close()
	return w.show(ctx, a, f, log)
}

// show runs the service, the traffic and the view until ctx ends, and sums up.
func (w *demoWorld) show(ctx context.Context, a *app, f demoFlags, log *slog.Logger) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx: what is in flight is waited for
	defer end()
	t, err := newTelemetry(ctx, a.getenv)
	if err != nil {
		return err
	}
	defer t.stop(life)
	log = t.Logger(log)
	w.onCall, w.tracer = t.called(demoAppID), t.Tracer
	service, err := newService(life, w.cfg, natsconn.Settings{InProcess: w.nats.NATS(), Log: log}, w.client, nil, t, log)
	if err != nil {
		return err
	}
	defer service.close()
	if err := pipeline.Observe(t.meter, service.fleet.lanes); err != nil {
		return err
	}
	if f.http != "" {
		admin, err := startAdmin(config.HTTP{Listen: f.http}, t.registry, service.fleet.lanes, func() trouble { return trouble{} }, log)
		if err != nil {
			return err
		}
		defer admin.stop()
	}
	js, err := service.consume.JetStream()
	if err != nil {
		return err
	}
	book := newDemoBook()
	stopReading, err := book.read(life, js)
	if err != nil {
		return err
	}
	defer stopReading()

	gw, err := w.startGateway(service.publish, log)
	if err != nil {
		return err
	}
	defer gw.close()

	ended := make(chan error, 1)
	go func() { ended <- service.run(life, false) }()

	view := &demoView{out: a.out, getenv: a.getenv, plain: f.plain, json: f.json, world: w, gateway: gw.url, book: book, lane: service.fleet.lanes()[0]}
	ctx, quiet := context.WithCancel(ctx)
	defer quiet()
	var traffic sync.WaitGroup
	traffic.Go(func() { w.send(ctx, js, gw, f.rate, book) })
	unseen := view.run(ctx)
	quiet()
	traffic.Wait()

	book.wait(drainPatience)
	end()
	if err := <-ended; err != nil {
		return err
	}
	if unseen != nil {
		return unseen // there is nobody to sum up for
	}
	return view.sum()
}

// drainPatience is how long the end waits for the last answers.
const drainPatience = 15 * time.Second

// demoPushes is how many pushes may wait for their answers.
const demoPushes = 64

// send publishes events at an even rate until ctx ends; those in WeChat's own
// form it has WeChat push.
func (w *demoWorld) send(ctx context.Context, js jetstream.JetStream, gw *demoGateway, rate float64, book *demoBook) {
	var pushing sync.WaitGroup
	defer pushing.Wait()
	slots := make(chan struct{}, demoPushes)

	mix := traffic.Mix{AppID: demoAppID, Prefix: "demo-", People: w.account, Persons: demoPeople}
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for due := int(now.Sub(began).Seconds() * rate); i < due; i++ {
				e := mix.Event(i)
				byWeChat := pushed(&e)
				book.sending(e)
				if byWeChat {
					slots <- struct{}{}
					pushing.Go(func() {
						defer func() { <-slots }()
						if gw.send(context.WithoutCancel(ctx), e) != nil {
							book.unsent(e)
						}
					})
					continue
				}
				if _, err := js.PublishMsg(context.WithoutCancel(ctx), e.Msg); err != nil {
					book.unsent(e)
				}
			}
		}
	}
}
