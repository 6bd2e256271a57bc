package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// runPatience is how long nothing may be answered until a run is given up.
const runPatience = 2 * time.Minute

// Run measures a case once: the service's, or the relay's with the same load.
func (p Program) Run(ctx context.Context, c *Case, relay bool, profiles Profiles) (f Figures, err error) {
	w, err := p.newWorld(ctx, c, !relay)
	if err != nil {
		return f, err
	}
	defer w.close()
	producer := newProducer(c.Load)
	backlog := c.Load.Rate == 0
	if backlog {
		if err := producer.publish(ctx, w.nc); err != nil {
			return f, err
		}
	}
	workers, err := w.startWorkers(ctx, relay, profiles)
	defer func() {
		for _, k := range workers {
			k.kill()
		}
	}()
	if err != nil {
		return f, err
	}
	refused := false // by the output
	endTrouble := func() {}
	if !relay {
		trouble, end := context.WithCancel(ctx)
		var troubles sync.WaitGroup
		troubles.Go(func() { refused = w.trouble(trouble) })
		endTrouble = func() { end(); troubles.Wait() }
		defer endTrouble()
	}
	if !backlog {
		if err := w.listening(ctx, relay, workers); err != nil {
			return f, err
		}
		pause(ctx, time.Second)                                  // a start is not what is measured: connections, a token
		for _, k := range append([]*child{w.nats}, workers...) { // a thousand lanes have cost something to begin
			k.begin()
		}
		if err := producer.publish(ctx, w.nc); err != nil {
			return f, err
		}
	}
	enough := c.Load.Events
	if c.Trouble.StopEarly && !relay {
		enough /= 2
	}
	if err := w.answered(ctx, enough, workers); err != nil {
		return f, err
	}
	if endTrouble(); c.Trouble.Refuse > 0 && !relay && !refused {
		return f, fmt.Errorf("all was answered before the output refused anything, %s after the start: want more events", refuseAfter)
	}
	for _, k := range workers {
		s, err := k.stop()
		if err != nil {
			return f, err
		}
		f.add(s)
	}
	workers = nil
	if c.Trouble.StopEarly {
		return Figures{Stop: f.Stop}, nil
	}
	return f, w.measure(ctx, &f, relay)
}

// startWorkers starts the relay, or the replicas of the service.
func (w *world) startWorkers(ctx context.Context, relay bool, profiles Profiles) (workers []*child, err error) {
	if relay {
		k, _, err := w.program.start(ctx, w.dir, "", Profiles{}, "bench", "relay", "--server", w.url)
		return append(workers, k), err
	}
	path, err := w.configure()
	if err != nil {
		return nil, err
	}
	for i := range w.Service.Replicas {
		if i > 0 {
			profiles = Profiles{}
		}
		k, _, err := w.program.start(ctx, w.dir, "", profiles, "run", "--config", path)
		if err != nil {
			return workers, err
		}
		workers = append(workers, k)
	}
	return workers, nil
}

// listening waits until everybody who shall work has begun to.
func (w *world) listening(ctx context.Context, relay bool, workers []*child) error {
	for _, id := range w.appids() {
		stream, durable := inputStream, "relay"
		if w.Load.Streams {
			stream += "_" + id
		}
		if !relay {
			durable = "wxenrich-" + id
		}
		for began := time.Now(); ; pause(ctx, 10*time.Millisecond) {
			consumer, err := w.js.Consumer(ctx, stream, durable)
			if err == nil && consumer.CachedInfo().NumWaiting > 0 {
				break
			}
			if err := anyGone(workers); err != nil {
				return err
			}
			if ctx.Err() != nil || time.Since(began) > runPatience {
				return fmt.Errorf("nobody reads the events: %w", err)
			}
		}
	}
	return nil
}

// answered waits until so many events have an answer.
func (w *world) answered(ctx context.Context, events int, workers []*child) error {
	const look = 50 * time.Millisecond
	last, since := uint64(0), time.Now()
	for {
		var n uint64
		for _, name := range []string{outputStream, deadStream} {
			state, err := w.state(ctx, name)
			if err != nil {
				n = 0 // the server has more to do than it can
				break
			}
			n += state.Msgs
		}
		switch {
		case n >= uint64(events):
			return nil
		case n > last:
			last, since = n, time.Now()
		case time.Since(since) > runPatience:
			return workers[0].failed(fmt.Sprintf("%d answers of %d, and none for %s", n, events, runPatience))
		}
		if err := anyGone(workers); err != nil {
			return err
		}
		if pause(ctx, look); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (w *world) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	s, err := w.js.Stream(ctx, stream)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return s.CachedInfo().State, nil
}

// refuseAfter is how long after the service's start the output begins to refuse
// messages: it is well under way.
const refuseAfter = 2 * time.Second

// trouble brings about what shall befall the service, until ctx ends, and says
// whether the output has refused messages. An error shows in the figures: nothing
// has happened then.
func (w *world) trouble(ctx context.Context) (refused bool) {
	if d := w.Trouble.Refuse; d > 0 {
		if pause(ctx, refuseAfter); ctx.Err() != nil {
			return false
		}
		if err := w.refuse(ctx, d); err != nil && ctx.Err() == nil {
			fmt.Println("the output is as it was:", err)
		} else {
			refused = true
		}
	}
	if every := w.Trouble.KillToken; every > 0 {
		for pause(ctx, every); ctx.Err() == nil; pause(ctx, every) {
			if err := w.killTokens(ctx); err != nil && ctx.Err() == nil {
				fmt.Println("the tokens are as they were:", err)
			}
		}
	}
	return refused
}
