package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/events"
)

// demoBook keeps account of the demo from the outside: what was sent, what is
// stored for it, and how long that took. It is safe for concurrent use.
type demoBook struct {
	mu       sync.Mutex
	open     map[string]traffic.Want // events without an answer, by id
	changed  chan struct{}           // holds one token when the book has changed
	answered map[uint64]struct{}     // input sequences that have one
	tally    tally
	latency  []time.Duration
	last     []events.Record // newest last
}

// tally is what the demo's summary says of events and answers.
type tally struct {
	Events      int                   `json:"events"`
	Records     int                   `json:"records"`
	DeadLetters map[events.Reason]int `json:"dead_letters"`
	Others      int                   `json:"from_other_terminals"` // answers to what others have published
	Missing     int                   `json:"missing"`              // events without an answer
	Doubled     int                   `json:"doubled"`              // events with two
	Wrong       int                   `json:"wrong"`                // answers that are not what the event asks for
}

const (
	shownRecords = 8
	keptLatency  = 100_000 // of the latest answers
)

func newDemoBook() *demoBook {
	return &demoBook{
		open:     make(map[string]traffic.Want),
		changed:  make(chan struct{}, 1),
		answered: make(map[uint64]struct{}),
		tally:    tally{DeadLetters: make(map[events.Reason]int)},
	}
}

// sending notes an event that is about to be published.
func (b *demoBook) sending(e traffic.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[e.ID] = e.Want
	b.tally.Events++
}

// unsent takes back an event that was not published after all.
func (b *demoBook) unsent(e traffic.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, e.ID)
	b.tally.Events--
}

// read follows the output streams into the book until the returned function is
// called; that waits for the readers to end.
func (b *demoBook) read(ctx context.Context, js jetstream.JetStream) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for _, stream := range []string{"WX_PROFILES", "WX_DEAD"} {
		consumer, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
		if err != nil {
			stop()
			return nil, err
		}
		consuming, err := consumer.Consume(b.enter)
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, func() { consuming.Stop(); <-consuming.Closed() })
	}
	return stop, nil
}

// enter notes one answer.
func (b *demoBook) enter(m jetstream.Msg) {
	h := m.Headers()
	src, _, dead, err := events.ParseMsgID(h.Get(events.HeaderMsgID))
	if err != nil {
		return // somebody else's message
	}
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, again := b.answered[src.Seq]; again {
		b.tally.Doubled++
		return
	}
	b.answered[src.Seq] = struct{}{}
	id, is := h.Get(events.HeaderDeadEventID), traffic.Want(h.Get(events.HeaderDeadReason))
	if !dead {
		id, is = h.Get(events.HeaderEventID), traffic.Want(h.Get(events.HeaderStatus))
	}
	want, ours := b.open[id]
	switch {
	case !ours:
		b.tally.Others++
	case want != is:
		b.tally.Wrong++
	case dead:
		b.tally.DeadLetters[events.Reason(is)]++
	default:
		b.tally.Records++
	}
	delete(b.open, id)
	if !dead {
		b.keep(m, meta.Timestamp.Sub(src.Time))
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// keep remembers a record for the view.
func (b *demoBook) keep(m jetstream.Msg, took time.Duration) {
	if len(b.latency) >= keptLatency {
		b.latency = slices.Delete(b.latency, 0, keptLatency/2)
	}
	b.latency = append(b.latency, took)
	if r, err := events.ParseRecord(m.Headers(), m.Data()); err == nil {
		b.last = append(b.last, r)
		if len(b.last) > shownRecords {
			b.last = slices.Delete(b.last, 0, 1)
		}
	}
}

// wait returns when every event has its answer, or after patience.
func (b *demoBook) wait(patience time.Duration) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for b.pending() > 0 {
		select {
		case <-b.changed:
		case <-timeout.C:
			return
		}
	}
}

func (b *demoBook) pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

// look returns a copy of the tally and of the newest records.
func (b *demoBook) look() (tally, []events.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tally
	t.Missing = len(b.open)
	return t, slices.Clone(b.last)
}

// quantile is the latency that a share q of the answers stay below.
func (b *demoBook) quantile(q float64) time.Duration {
	b.mu.Lock()
	sorted := slices.Clone(b.latency)
	b.mu.Unlock()
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
