//go:build linux

package faults

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
)

// load is a producer that publishes n events of a mix and sees to it that each
// is stored once, whatever becomes of the server.
type load struct {
	mix   traffic.Mix
	pace  int // events a second; 0: as many as the stream takes
	first int // the number of its first event
	n     int
	over  atomic.Bool   // it is to end before all are published
	done  chan struct{} // closed once all are stored
}

// ackTimeout is how long a producer waits before it publishes again.
const ackTimeout = 3 * time.Second

// perSecond is the pace of the load.
const perSecond = 2000

// produce begins to publish n events. A mix that is not clean has the mishaps
// of real traffic in it.
func (w *world) produce(n int, clean bool) *load { return w.publish(n, perSecond, clean, 0) }

// store publishes n events as fast as the stream takes them.
func (w *world) store(n int, clean bool, persons int) *load {
	l := w.publish(n, 0, clean, persons)
	<-l.done
	return l
}

// publish begins to publish n events, at a pace, about so many people; 0: each
// about another.
func (w *world) publish(n, pace int, clean bool, persons int) *load {
	l := &load{
		mix:  traffic.Mix{AppID: appID, Prefix: "e", People: w.account, Persons: persons, Clean: clean},
		pace: pace, first: w.produced, n: n, done: make(chan struct{}),
	}
	w.produced += n
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if l.run(ctx, w.js) {
			close(l.done)
		}
	}()
	w.t.Cleanup(func() { cancel(); <-stopped })
	return l
}

// run publishes in chunks, each again until all of it is stored: the stream
// knows a repeat by its id.
func (l *load) run(ctx context.Context, js jetstream.JetStream) bool {
	chunk := 2000
	if l.pace > 0 {
		chunk = max(1, l.pace/10)
	}
	began := time.Now()
	for first := 0; first < l.n; first += chunk {
		if l.over.Load() {
			l.n = first
			break
		}
		var left []int
		for i := first; i < min(first+chunk, l.n); i++ {
			left = append(left, l.first+i)
		}
		for len(left) > 0 {
			if left = l.store(js, left); len(left) > 0 && !pause(ctx, 200*time.Millisecond) {
				return false
			}
		}
		if l.pace > 0 && !pause(ctx, time.Until(began.Add(time.Duration(first+chunk)*time.Second/time.Duration(l.pace)))) {
			return false
		}
	}
	return true
}

// end has it publish no more, and waits until what it has published is stored.
func (l *load) end() {
	l.over.Store(true)
	<-l.done
}

// store publishes events, and returns those that may not be stored.
func (l *load) store(js jetstream.JetStream, events []int) (left []int) {
	futures := make(map[int]jetstream.PubAckFuture, len(events))
	for _, i := range events {
		e := l.mix.Event(i)
		e.Msg.Header = withID(e.Msg.Header, e.ID)
		f, err := js.PublishMsgAsync(e.Msg)
		if err != nil {
			left = append(left, i)
			continue
		}
		futures[i] = f
	}
	// A future may outlive its connection unanswered, whatever its own time-out.
	late := time.After(ackTimeout)
	for i, f := range futures {
		select {
		case <-f.Ok():
		case <-f.Err():
			left = append(left, i)
		case <-late:
			return slices.AppendSeq(left, maps.Keys(futures)) // some of them once more than needed
		}
	}
	return left
}

func withID(h map[string][]string, id string) map[string][]string {
	if h == nil {
		h = map[string][]string{}
	}
	h[jetstream.MsgIDHeader] = []string{id}
	return h
}

// event is the i-th of the load.
func (l *load) event(i int) traffic.Event { return l.mix.Event(l.first + i) }

// number is which event an id names; -1 if it is none of the load's.
func (l *load) number(id string) int {
	digits, ok := strings.CutPrefix(id, l.mix.Prefix)
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < l.first || i >= l.first+l.n {
		return -1
	}
	return i - l.first
}

// somebody is one of those whose event becomes a record.
func (w *world) somebody(l *load) string {
	for {
		if e := l.event(w.between(0, l.n-1)); e.Want == traffic.Following {
			return e.OpenID
		}
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
