package eventstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// Several bubbles in a row, each of which uses the client's timers: one that
// gets at another's would end the process.
func TestBubble(t *testing.T) {
	for _, name := range []string{"first", "second", "third"} {
		t.Run(name, func(t *testing.T) {
			eventstest.Bubble(t, redelivery)
		})
	}
	nc := eventstest.NewServer(t).Connect()
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
}

// redelivery takes half an hour: an event is not acked for a while, and a
// message id is forgotten after ten minutes.
func redelivery(t *testing.T, s *eventstest.Server) {
	js, ctx := s.JetStream(), context.Background()
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Duplicates: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateConsumer(ctx, "S", jetstream.ConsumerConfig{Durable: "d", AckWait: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() (duplicate bool) {
		ack, err := js.Publish(ctx, "s", []byte("x"), jetstream.WithMsgID("id"))
		if err != nil {
			t.Fatal(err)
		}
		return ack.Duplicate
	}
	if publish() || !publish() {
		t.Error("want the second publish taken for a duplicate")
	}

	iter, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iter.Next(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	again, err := iter.Next()
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
		t.Errorf("delivered again after %v, want 30s", took)
	}
	if err := again.Ack(); err != nil {
		t.Error(err)
	}
	iter.Drain()
	if _, err := iter.Next(); !errors.Is(err, jetstream.ErrMsgIteratorClosed) {
		t.Errorf("after the drain: %v", err)
	}

	time.Sleep(20 * time.Minute)
	if publish() {
		t.Error("a duplicate after the window")
	}
}

func TestBubbleRestart(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, s *eventstest.Server) {
		back := make(chan struct{}, 1)
		nc := s.Connect(nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
		s.Stop()
		time.Sleep(time.Hour)
		if nc.IsConnected() {
			t.Error("connected to a stopped server")
		}
		s.Start()
		<-back
		if err := nc.Flush(); err != nil {
			t.Error(err)
		}
	})
}

func TestBubbleIsNotParallel(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a parallel test has a bubble")
		}
	}()
	eventstest.Bubble(t, func(*testing.T, *eventstest.Server) {})
}
