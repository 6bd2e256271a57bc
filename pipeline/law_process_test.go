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
	if tr.running[i] != nil {
		return
	}
	tr.Helper()
	r := &process{link: newLink(tr.nats), done: make(chan error, 1)}
	connect := func(opts ...nats.Option) *nats.Conn {
		nc := tr.nats.Connect(append(opts, nats.InProcessServer(r.link), nats.ReconnectWait(time.Second))...)
		r.conns = append(r.conns, nc)
		return nc
	}
	out, err := pipeline.NewPublisher(connect(nats.ReconnectBufSize(-1)))
	if err != nil {
		tr.Fatal(err)
	}
	js, err := jetstream.New(connect())
	if err != nil {
		tr.Fatal(err)
	}
	kv, err := js.KeyValue(tr.Context(), "WX_STATE")
	if err != nil {
		tr.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(tr.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("replica", i)
	if r.board, err = pipeline.OpenBoard(tr.Context(), kv, log); err != nil {
		tr.Fatal(err)
	}
	r.Lane, err = pipeline.NewLane(pipeline.Deps{
		JS: js, Out: out, WeChat: tr.client(appid, secret), Log: log, Board: r.board,
		Recent: pipeline.NewRecent(1 << 20),
	}, tr.story.lane())
	if err != nil {
		tr.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Lane.Run(ctx) }()
	tr.Cleanup(func() { tr.gone(r) }) // if the trial ends before its time
	tr.running[i] = r
}

func (tr *trial) stopReplica(i int) {
	tr.Helper()
	if r := tr.running[i]; r != nil {
		tr.gone(r)
		tr.running[i] = nil
	}
}

// gone stops a replica and waits until nothing of it runs any more.
func (tr *trial) gone(r *process) {
	tr.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if r.done <- nil; err != nil {
			tr.Errorf("the lane: %v", err)
		}
	case <-time.After(tr.patience):
		tr.Fatal("a lane does not stop")
	}
	r.board.Close()
	for _, nc := range r.conns {
		nc.Close()
	}
}
