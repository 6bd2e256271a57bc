package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Rounds are looks at the durables of many lanes at once, where each lane would
// look at its own: to hear of a thousand idle accounts one by one that they idle
// is most of what a process does for them. All lanes of a process share one. It
// is safe for concurrent use; a nil one looks at nothing.
type Rounds struct {
	js  jetstream.JetStream
	log *slog.Logger

	mu      sync.Mutex
	lanes   map[string]map[string]*Lane // by stream and durable
	count   int
	covered map[string]bool // streams whose lanes need not look by themselves
}

const (
	// roundEvery is the time between two rounds.
	roundEvery = 15 * time.Second
	// roundFrom is how many lanes of a stream make a round worth it.
	roundFrom = 32
	// roundShare is how many durables a stream may have for each lane of ours: a
	// list names them all, 256 a request.
	roundShare = 10
	// roundFailures is how many rounds may fail: one is an accident.
	roundFailures = 2
	// roundRest is how long none is made where we may not ask for lists: the server
	// logs each that it refuses.
	roundRest = time.Hour
)

// NewRounds makes rounds that are made as long as Run runs.
func NewRounds(js jetstream.JetStream, log *slog.Logger) *Rounds {
	return &Rounds{js: js, log: log, lanes: make(map[string]map[string]*Lane), covered: make(map[string]bool)}
}

// join has a lane looked after until it leaves.
func (r *Rounds) join(l *Lane) (leave func()) {
	if r == nil {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	lanes := r.lanes[l.cfg.Stream]
	if lanes == nil {
		lanes = make(map[string]*Lane)
		r.lanes[l.cfg.Stream] = lanes
	}
	lanes[l.cfg.Durable] = l
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.count--
		if lanes[l.cfg.Durable] == l {
			delete(lanes, l.cfg.Durable)
		}
		if len(lanes) == 0 {
			delete(r.lanes, l.cfg.Stream)
			delete(r.covered, l.cfg.Stream)
		}
	}
}

// members is how many lanes there are.
func (r *Rounds) members() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// covers reports whether a stream's lanes need not look by themselves.
func (r *Rounds) covers(stream string) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.covered[stream]
}

func (r *Rounds) cover(stream string, covered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, still := r.lanes[stream]; still {
		r.covered[stream] = covered
	}
}

// Run makes rounds until ctx ends.
func (r *Rounds) Run(ctx context.Context) {
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	failed := make(map[string]int)     // rounds of a stream, one after the other
	rest := make(map[string]time.Time) // until then none of a stream is made
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for stream, lanes := range r.due() {
			if time.Now().Before(rest[stream]) {
				continue
			}
			worth, err := r.walk(ctx, stream, lanes)
			if err == nil {
				delete(failed, stream)
				r.cover(stream, worth)
				continue
			}
			r.log.Debug("a look at all durables of a stream has failed", slog.String("stream", stream), slog.Any("error", err))
			if failed[stream]++; failed[stream] < roundFailures || ctx.Err() != nil {
				continue
			}
			unheard := r.unheard(ctx, lanes)
			if r.cover(stream, unheard); !unheard && ctx.Err() == nil {
				delete(failed, stream)
				rest[stream] = time.Now().Add(roundRest)
				r.log.Warn("the durables of a stream cannot be listed; each account looks at its own, which takes more processor time",
					slog.String("stream", stream), slog.Any("error", err), slog.String("hint", `"wxenrich doctor" says which right is missing`))
			}
		}
	}
}

// due is whom to look after: a stream with few lanes is not worth it.
func (r *Rounds) due() map[string]map[string]*Lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := make(map[string]map[string]*Lane)
	for stream, lanes := range r.lanes {
		if len(lanes) >= roundFrom {
			due[stream] = maps.Clone(lanes)
		} else {
			r.covered[stream] = false
		}
	}
	return due
}

// walk looks at a stream's durables once, if that is worth it.
func (r *Rounds) walk(ctx context.Context, name string, lanes map[string]*Lane) (worth bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundEvery-time.Second) // a cluster waits four seconds for a durable without a leader
	defer cancel()
	stream, err := r.js.Stream(ctx, name)
	if err != nil || stream.CachedInfo().State.Consumers > roundShare*len(lanes) {
		return false, err
	}
	var waiting []func() // the others are not to wait for these
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		l := lanes[info.Name]
		if l == nil {
			continue // somebody else's
		}
		delete(lanes, info.Name)
		if l.noteDurable(info) && l.undated() {
			waiting = append(waiting, func() { l.date(ctx, stream, info) })
		}
	}
	if list.Err() != nil {
		return false, list.Err()
	}
	for _, l := range lanes {
		l.notSeen()
	}
	for _, date := range waiting {
		date()
	}
	return true, nil
}

// unheard finds out why rounds fail, and reports whether the lanes need not look
// by themselves: if the server does not tell of a single durable either, what was
// asked of it is in doubt. Else we may not ask for lists.
func (r *Rounds) unheard(ctx context.Context, lanes map[string]*Lane) bool {
	for _, l := range lanes {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		if _, err := l.js.Consumer(ctx, l.cfg.Stream, l.cfg.Durable); err == nil {
			return false
		}
		break
	}
	for _, l := range lanes {
		l.doubtPull()
	}
	return true
}
