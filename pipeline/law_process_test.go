package pipeline_test

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
)

// process is one replica: its lane and all it has open.
type process struct {
	*pipeline.Lane
	link   *link
	conns  []*nats.Conn
	board  *pipeline.Board
	cancel context.CancelFunc
	done   chan error
}

func (tr *trial) startReplica(i int) {
	tr.Helper()
	if tr.running[i] == nil {
		tr.running[i] = tr.process(i, tr.story.lane())
	}
}

// process starts a replica with a link of its own. It ends with crash or gone.
func (w *world) process(i int, cfg pipeline.Config) *process {
	w.Helper()
	r := &process{link: newLink(w.nats), done: make(chan error, 1)}
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}) // the default prints
	connect := func(opts ...nats.Option) *nats.Conn {
		nc := w.nats.Connect(append(opts, nats.InProcessServer(r.link), nats.ReconnectWait(time.Second), quiet)...)
		r.conns = append(r.conns, nc)
		return nc
	}
	out, err := pipeline.NewPublisher(connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		w.Fatal(err)
	}
	js, err := jetstream.New(connect())
	if err != nil {
		w.Fatal(err)
	}
	kv, err := js.KeyValue(w.Context(), "WX_STATE")
	if err != nil {
		w.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("replica", i)
	if r.board, err = pipeline.OpenBoard(w.Context(), kv, log); err != nil {
		w.Fatal(err)
	}
	r.Lane, err = pipeline.NewLane(pipeline.Deps{
		JS: js, Out: out, WeChat: w.client(appid, secret), Log: log, Board: r.board,
		Recent: pipeline.NewRecent(1 << 20),
	}, cfg)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Lane.Run(ctx) }()
	w.Cleanup(func() { w.gone(r) }) // if the test ends before its time
	return r
}

func (tr *trial) stopReplica(i int) {
	tr.Helper()
	if r := tr.running[i]; r != nil {
		tr.gone(r)
		tr.running[i] = nil
	}
}

// crash ends a replica as kill -9 does, after another n bytes to the server or
// some time at the latest. What is left of it runs on, and reaches nobody.
func (p *process) crash(n int, latest time.Duration) {
	if n > 0 {
		p.link.cutAfter(n)
		time.Sleep(latest)
	}
	p.link.cut()
	p.cancel()
}

// gone stops a replica and waits until nothing of it runs any more.
func (w *world) gone(r *process) {
	w.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if r.done <- nil; err != nil {
			w.Errorf("the lane: %v", err)
		}
	case <-time.After(w.patience):
		w.Fatal("a lane does not stop")
	}
	r.board.Close()
	for _, nc := range r.conns {
		nc.Close()
	}
}
