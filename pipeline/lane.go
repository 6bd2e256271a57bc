package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/internal/match"
	"github.com/wxenrich/wxenrich/pipeline/internal/strike"
	"github.com/wxenrich/wxenrich/pipeline/internal/water"
	"github.com/wxenrich/wxenrich/pipeline/plan"
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
	Board  *Board              // what the replicas tell each other; default: nothing
	Erased *erase.Ledger       // who is erased, and is not to come back; default: nobody
	Timing *Timings            // default: nothing is recorded
	Rounds *Rounds             // looks at the durables of many lanes; default: each looks at its own

	// Prepare gets what the first call needs, the account's token above all, and
	// returns why that cannot be had, as calls do. It is called when the lane begins,
	// and when an account on hold is tried for which nobody waits. Default: nothing.
	Prepare func(context.Context) error

	// Tracer makes spans; default: none. Its sampler should sample a span that is
	// linked to one that is sampled, or batches are missing in some traces.
	Tracer trace.TracerProvider

	// Renewed reports whether the account's credentials have changed since it
	// was last called, or since they were last used. It is called now and then
	// during a hold, by the lane's one goroutine, and must not wait. Default: never.
	Renewed func() bool

	// TokenHint is what a person does when WeChat refuses every token. Default:
	// what is right for tokens fetched from WeChat itself.
	TokenHint string
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
	board   *Board
	erased  *erase.Ledger
	obtain  func(context.Context) error // Deps.Prepare; may be nil
	renewed func() bool
	hint    string // what to do when WeChat refuses every token
	mark    mark
	begun   atomic.Pointer[water.Mark] // how far its durable was when it was last seen; nil before
	clock   natsClock
	places  atomic.Pointer[whereabouts] // of answers; nil while they are not known
	past    atomic.Pointer[lookBack]    // which events have an answer
	crashes atomic.Pointer[strike.Book] // which events were in hand in one; nil if none is known
	decoder events.Decoder

	ackWait  atomic.Int64 // the durable's in nanoseconds, which may differ from the configuration's
	waits    waits
	rounds   *Rounds
	unsure   chan struct{} // holds a value when the server may have forgotten what was asked of it
	storing  chan struct{} // one slot for each group whose answers are being stored
	throttle *throttle
	budget   *budget
	room     *room
	task     *task         // nil of a live lane
	live     *Lane         // beside which a task is done
	bulk     bulkWork      // of jobs beside this lane
	scouting chan struct{} // one slot: see scout
	proving  chan struct{} // one slot: see prove
	proof    proof
	unionIDs unionIDs
	seconds  seconds
	thirds   thirds
	known    match.Known
	state    stateKeeper
	stats    Stats
	timings  laneTimings
	tracing  *tracing // nil if there are no spans
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
		board: d.Board, erased: d.Erased, obtain: d.Prepare, renewed: d.Renewed, hint: d.TokenHint,
		decoder:  events.Decoder{AppID: cfg.AppID, Fields: cfg.Fields, MaxPayload: cfg.MaxPayload},
		throttle: newThrottle(cfg.Rate, cfg.Concurrency),
		budget:   newBudget(&cfg, d.Board.reserver(cfg.Durable)),
		room:     newRoom(cfg.Concurrency),
		rounds:   d.Rounds,
		unsure:   make(chan struct{}, 1),
		storing:  make(chan struct{}, mostStoring),
		scouting: make(chan struct{}, 1),
		proving:  make(chan struct{}, 1),
		unionIDs: unionIDs{expect: cfg.ExpectUnionID},
		timings:  d.Timing.of(cfg.AppID),
		tracing:  newTracing(d.Tracer, &cfg),
	}
	if l.rand == nil {
		l.rand = rand.Float64
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if l.hint == "" {
		l.hint = hintToken
	}
	l.log = d.Log.With(slog.String("appid", cfg.AppID))
	l.state.log = l.log
	l.ackWait.Store(int64(cfg.AckWait))
	return l, nil
}

// AppID names the lane's account.
func (l *Lane) AppID() string { return l.cfg.AppID }

// State is what the lane is doing now. It is safe for concurrent use.
func (l *Lane) State() State {
	s := l.state.get()
	until, paused := l.pausedUntil()
	refused := l.waits.refused(time.Now())
	switch {
	case s.Phase != Running:
	case !l.js.Conn().IsConnected():
		s.Phase, s.Reason = Connecting, "the connection to NATS is lost"
	case refused != nil:
		s.Phase, s.Reason = Connecting, "the server takes no pull of durable "+l.cfg.Durable+" of stream "+l.cfg.Stream+": "+refused.Error()
		s.Hint = "\"wxenrich doctor\" says what of its settings is in the way"
	case paused:
		s.Phase, s.Until = Paused, until
		s.Reason, s.Hint = "somebody has paused durable "+l.cfg.Durable+" of stream "+l.cfg.Stream, plan.Resume(l.cfg.Stream, l.cfg.Durable)
	}
	return s
}

// Stats counts what the lane has done. It is safe for concurrent use.
func (l *Lane) Stats() *Stats { return &l.stats }

// RateLimit is how many API calls a second the lane allows itself now; 0 if any
// number. It is Config.Rate, unless WeChat refused calls for being too many, or
// a hold has just ended. It is safe for concurrent use.
func (l *Lane) RateLimit() float64 { return l.throttle.limit() }

// contexts are the two ends of a lane's work. Calls and publishes run under
// abort, so that a stop does not cut them short; waits between attempts end
// with stop.
type contexts struct {
	stop  context.Context // begin nothing new
	abort context.Context // end what is in flight
	last  bool            // although it stops, a call may begin if it need not wait
	probe bool            // a limit of our own of the quota keeps nobody from asking
	begun func()          // to be called when a call is in the budget, or is not to be made; nil if nobody asks
}

// ErrGrace is the cause of the abort of calls that outlast Config.Grace.
var ErrGrace = errors.New("the grace after the stop is over")

// Run answers events until ctx ends, then finishes what is in flight within
// Config.Grace and hands back the rest. It returns nil then, or a *Refusal at
// the start. It returns only when every goroutine of the lane has.
func (l *Lane) Run(ctx context.Context) error {
	l.state.set(State{Phase: Connecting})
	defer l.state.set(State{Phase: Stopped})
	defer l.rounds.join(l)()
	preparing, ready := l.beginPreparing(ctx)
	defer ready()
	b, err := l.bind(ctx)
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

	var jobs sync.WaitGroup
	if l.task == nil && l.board != nil && l.limit == nil { // a shadow run has no business with jobs
		jobs.Go(func() { l.doJobs(ctx, false) })
		jobs.Go(func() { l.doJobs(ctx, true) })
	}
	if l.task == nil && l.erased != nil && l.limit == nil {
		jobs.Go(func() { l.erasePeople(ctx) })
	}
	lp := newLoop(l, b, contexts{stop: ctx, abort: abort})
	lp.preparing = preparing
	lp.run()
	jobs.Wait()
	return nil
}
