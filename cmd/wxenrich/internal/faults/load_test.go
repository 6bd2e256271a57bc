//go:build linux

package faults

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
)

// load is a producer that publishes n events of a mix and sees to it that each
// is stored once, whatever becomes of the server.
type load struct {
	mix   traffic.Mix
	first int // the number of its first event
	n     int
	done  chan struct{} // closed once all are stored
}

// ackTimeout is how long a producer waits before it publishes again.
const ackTimeout = 3 * time.Second

// perSecond is the pace of the load.
const perSecond = 2000

// produce begins to publish n events. A mix that is not clean has the mishaps
// of real traffic in it.
func (w *world) produce(n int, clean bool) *load {
	l := &load{mix: traffic.Mix{AppID: appID, Prefix: "e", People: w.account, Clean: clean}, first: w.produced, n: n, done: make(chan struct{})}
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
	const chunk = perSecond / 10
	began := time.Now()
	for first := 0; first < l.n; first += chunk {
		var left []int
		for i := first; i < min(first+chunk, l.n); i++ {
			left = append(left, l.first+i)
		}
		for len(left) > 0 {
			if left = l.publish(js, left); len(left) > 0 && !pause(ctx, 200*time.Millisecond) {
				return false
			}
		}
		if !pause(ctx, time.Until(began.Add(time.Duration(first+chunk)*time.Second/perSecond))) {
			return false
		}
	}
	return true
}

// publish returns those events that may not be stored.
func (l *load) publish(js jetstream.JetStream, events []int) (left []int) {
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
