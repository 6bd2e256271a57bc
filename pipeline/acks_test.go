package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

func TestAckError(t *testing.T) {
	t.Parallel()
	unavailable := nats.Header{"Status": {"503"}}
	for _, tc := range []struct {
		name   string
		ack    nats.Msg
		stored bool
		is     error               // if it is not stored
		api    jetstream.ErrorCode // the same
	}{
		{name: "stored", ack: nats.Msg{Data: []byte(`{"stream":"S", "seq":1}`)}, stored: true},
		{name: "stored before", ack: nats.Msg{Data: []byte(`{"stream":"S","domain":"hub","seq":1,"duplicate":true}`)}, stored: true},
		{name: "stored, told otherwise", ack: nats.Msg{Data: []byte(`{ "seq":1, "stream":"S" }`)}, stored: true},
		{name: "stream called error", ack: nats.Msg{Data: []byte(`{"stream":"error","seq":1}`)}, stored: true},
		{name: "refused", ack: nats.Msg{Data: []byte(`{"error":{"code":400,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}`)}, api: 10077},
		{name: "refused, told otherwise", ack: nats.Msg{Data: []byte(`{"stream":"S","seq":0,"error":{"code":503,"err_code":10077}}`)}, api: 10077},
		{name: "nobody there", ack: nats.Msg{Header: unavailable}, is: jetstream.ErrNoStreamResponse},
		{name: "nothing", is: jetstream.ErrInvalidJSAck},
		{name: "no stream", ack: nats.Msg{Data: []byte(`{}`)}, is: jetstream.ErrInvalidJSAck},
		{name: "no JSON", ack: nats.Msg{Data: []byte(`stream`)}, is: jetstream.ErrInvalidJSAck},
	} {
		err := ackError(&tc.ack)
		api, _ := errors.AsType[*jetstream.APIError](err)
		switch {
		case tc.stored != (err == nil), tc.is != nil && !errors.Is(err, tc.is), tc.api != 0 && (api == nil || api.ErrorCode != tc.api):
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestAckLost is about messages whose acks do not come: by a cut they are
// unknown at once, and without one after a time-out; those that come later
// belong to nobody.
func TestAckLost(t *testing.T) {
	eventstest.Bubble(t, func(t *testing.T, server *eventstest.Server) {
		nc := server.Connect(nats.ReconnectBufSize(-1))
		p, err := NewPublisher(nc)
		if err != nil {
			t.Fatal(err)
		}
		other := server.Connect()
		silent, err := other.SubscribeSync("out.*") // takes what no stream does, and says nothing
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Flush(); err != nil {
			t.Fatal(err)
		}
		msgs := make([]*nats.Msg, 3)
		for i := range msgs {
			msgs[i] = nats.NewMsg(fmt.Sprint("out.", i))
		}
		began := time.Now()
		for _, err := range p.publishAll(msgs) {
			if !errors.Is(err, errAwaited) {
				t.Errorf("no ack: %v", err)
			}
		}
		if took := time.Since(began); took != publishTimeout {
			t.Errorf("waited %s", took)
		}

		done := make(chan []error)
		go func() { done <- p.publishAll(msgs) }()
		synctest.Wait()
		for range msgs { // of the first time
			late, err := silent.NextMsg(time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if err := late.Respond([]byte(`{"stream":"S","seq":1}`)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		for _, err := range <-done {
			if !errors.Is(err, nats.ErrDisconnected) {
				t.Errorf("cut off: %v", err)
			}
		}
	})
}

// BenchmarkPublish stores groups of 100 and waits for their acks, with the server
// in the same process: an operation is one message.
func BenchmarkPublish(b *testing.B) {
	server := eventstest.NewServer(b)
	js := server.JetStream()
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"out.*"}}); err != nil {
		b.Fatal(err)
	}
	p, err := NewPublisher(server.Connect())
	if err != nil {
		b.Fatal(err)
	}
	msgs := make([]*nats.Msg, 100)
	for i := range msgs {
		msgs[i] = nats.NewMsg("out.1")
		msgs[i].Data = make([]byte, 900)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(msgs) {
		for _, err := range p.publishAll(msgs) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
