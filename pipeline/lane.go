package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"github.com/wxenrich/wxenrich/events"
)

// Deps is what a lane works with. Several lanes may share all of it but WeChat.
type Deps struct {
	JS     jetstream.JetStream // where events are pulled and acked
	Out    *Publisher          // where answers go
	WeChat Directory           // the account's client
	Log    *slog.Logger        // default: nowhere
	Rand   func() float64      // jitter, in [0, 1); default math/rand/v2
	Limit  *Limit              // stop after so many events; default: never
	Recent *Recent             // answers that may serve again; default: none
}

// A Lane is everything that belongs to one account: its durable, its batches,
// its calls and its hold. Lanes share nothing that one of them could block.
type Lane struct {
	cfg     Config
	js      jetstream.JetStream
	out     *Publisher
	wechat  Directory
	log     *slog.Logger
	rand    func() float64
	limit   *Limit
	recent  *Recent
	mark    mark
	decoder events.Decoder

	ackWait   time.Duration // the durable's, which may differ from the configuration's
	rate      *rate.Limiter // of all calls, retries included
	splitting chan struct{} // one slot: see narrow
	proof     proof
	bound     atomic.Bool // followers of this account have unionids
	state     stateKeeper
	stats     Stats
}

// NewLane checks the configuration; it does not touch the network.
func NewLane(d Deps, cfg Config) (*Lane, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("lane of account %s: %w", cfg.AppID, err)
	}
	if d.JS == nil || d.Out == nil || d.WeChat == nil {
		return nil, fmt.Errorf("lane of account %s: JS, Out and WeChat are needed", cfg.AppID)
	}
	l := &Lane{
		cfg: cfg, js: d.JS, out: d.Out, wechat: d.WeChat, rand: d.Rand, limit: d.Limit, recent: d.Recent,
		decoder:   events.Decoder{AppID: cfg.AppID, Fields: cfg.Fields, MaxPayload: cfg.MaxPayload},
		ackWait:   cfg.AckWait,
		rate:      rate.NewLimiter(rate.Inf, 1),
		splitting: make(chan struct{}, 1),
	}
	if cfg.Rate > 0 {
		l.rate.SetLimit(rate.Limit(cfg.Rate))
	}
	if l.rand == nil {
		l.rand = rand.Float64
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	l.log = d.Log.With(slog.String("appid", cfg.AppID))
	l.state.log = l.log
	return l, nil
}

// AppID names the lane's account.
func (l *Lane) AppID() string { return l.cfg.AppID }

// State is what the lane is doing now. It is safe for concurrent use.
func (l *Lane) State() State {
	s := l.state.get()
	if s.Phase == Running && !l.js.Conn().IsConnected() {
		s.Phase, s.Reason = Connecting, "the connection to NATS is lost"
	}
	return s
}

// Stats counts what the lane has done. It is safe for concurrent use.
func (l *Lane) Stats() *Stats { return &l.stats }

// contexts are the two ends of a lane's work. Calls and publishes run under
// abort, so that a stop does not cut them short; waits between attempts end
// with stop.
type contexts struct {
	stop  context.Context // begin nothing new
	abort context.Context // end what is in flight
}

// ErrGrace is the cause of the abort of calls that outlast Config.Grace.
var ErrGrace = errors.New("the grace after the stop is over")

// Run answers events until ctx ends, then finishes what is in flight within
// Config.Grace and hands back the rest. It returns nil then, or a *Refusal at
// the start. It returns only when every goroutine of the lane has.
func (l *Lane) Run(ctx context.Context) error {
	l.state.set(State{Phase: Connecting})
	defer l.state.set(State{Phase: Stopped})
	consumer, err := l.bind(ctx)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		l.state.set(State{Phase: Refused, Reason: refusal.Reason, Hint: refusal.Hint})
		return err
	}
	if err != nil {
		return nil // stopped before it began
	}
	abort, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(l.cfg.Grace, func() { cancel(ErrGrace) })
	})()

	newLoop(l, consumer, contexts{stop: ctx, abort: abort}).run()
	return nil
}
