package natsconn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// dialTo is a dialer with one connection.
type dialTo struct{ net.Conn }

func (d dialTo) Dial(string, string) (net.Conn, error) { return d.Conn, nil }

func TestFence(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for name, test := range map[string]struct {
		jump   func(time.Time) time.Time
		passes bool
	}{
		"a busy machine":      {func(n time.Time) time.Time { return n.Add(longestStall) }, true},
		"a frozen process":    {func(n time.Time) time.Time { return n.Add(time.Minute) }, false},
		"a suspended machine": {func(n time.Time) time.Time { return n.Round(0).Add(time.Hour) }, false}, // only the wall clock went on
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := net.Pipe()
			var now atomic.Pointer[time.Time]
			now.Store(&start)
			f := &fence{through: dialTo{ours}, now: func() time.Time { return *now.Load() }}
			c, err := f.Dial("tcp", "anywhere")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			got := make(chan string)
			go func() {
				all, _ := io.ReadAll(theirs)
				got <- string(all)
			}()
			if _, err := c.Write([]byte("before ")); err != nil {
				t.Fatal(err)
			}
			after := test.jump(start)
			now.Store(&after)
			_, err = c.Write([]byte("after"))
			_ = c.Close()
			want := "before "
			if test.passes {
				want += "after"
			}
			if all := <-got; all != want || errors.Is(err, errStoodStill) == test.passes {
				t.Errorf("%q left, and the write said %v", all, err)
			}
		})
	}
}

// A connection that was idle all the time ends as well, before anybody writes.
func TestFenceWithoutWrites(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	var ahead atomic.Int64
	f := &fence{through: dialTo{ours}, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	if _, err := f.Dial("tcp", "anywhere"); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(time.Minute))
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other side reads %v, want the end", err)
	}
}

// A client goes on over another connection, and knows what it has not sent.
func TestFencedClient(t *testing.T) {
	t.Parallel()
	server := eventstest.NewServer(t)
	var ahead atomic.Int64
	back := make(chan struct{}, 10)
	nc, err := nats.Connect(server.URL(), nats.ReconnectWait(time.Millisecond), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }), fenced,
		func(o *nats.Options) error {
			o.CustomDialer.(*fence).now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("x")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(time.Minute))
	_ = nc.Publish("x", []byte("late")) // into the buffer, perhaps: nobody has looked at the clocks yet
	<-back
	if err := nc.Publish("x", []byte("in time")); err != nil {
		t.Fatal(err)
	}
	m, err := sub.NextMsg(time.Minute)
	if err != nil || string(m.Data) != "in time" {
		t.Errorf("got %v, %v", m, err)
	}
}
