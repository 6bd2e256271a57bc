package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// The relay's measures, with which it is fastest.
const (
	relayChunk    = 100
	relayInFlight = 16
	relayPull     = 1000
)

// Relay moves every message of the input to the output, or of all inputs where
// accounts have streams of their own, with message ids and publish acks, until ctx
// ends: what JetStream costs, without a look-up.
func Relay(ctx context.Context, url string) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*relayChunk*relayInFlight))
	if err != nil {
		return err
	}
	msgs := make(chan jetstream.Msg, relayChunk)
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if !strings.HasPrefix(name, inputStream) {
			continue
		}
		consumer, err := js.CreateConsumer(ctx, name, jetstream.ConsumerConfig{
			Durable: "relay", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 10 * relayChunk * relayInFlight,
		})
		if err != nil {
			return err
		}
		pull, err := consumer.Consume(func(m jetstream.Msg) { msgs <- m }, jetstream.PullMaxMessages(relayPull))
		if err != nil {
			return err
		}
		defer pull.Stop()
	}
	if err := names.Err(); err != nil {
		return err
	}
	slots := make(chan struct{}, relayInFlight)
	for {
		chunk := gather(ctx, msgs)
		if len(chunk) == 0 {
			return nil
		}
		slots <- struct{}{}
		go func() {
			relay(js, chunk)
			<-slots
		}()
	}
}

// gather waits for a message and takes those behind it: as many as there are,
// up to a chunk. It returns none when ctx ends.
func gather(ctx context.Context, msgs <-chan jetstream.Msg) (chunk []jetstream.Msg) {
	select {
	case m := <-msgs:
		chunk = append(make([]jetstream.Msg, 0, relayChunk), m)
	case <-ctx.Done():
		return nil
	}
	for len(chunk) < relayChunk {
		if meta, err := chunk[len(chunk)-1].Metadata(); err == nil && meta.NumPending > 0 {
			select {
			case m := <-msgs:
				chunk = append(chunk, m)
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case m := <-msgs:
			chunk = append(chunk, m)
		default:
			return chunk
		}
	}
	return chunk
}

// relay stores a chunk and acknowledges what is stored.
func relay(js jetstream.JetStream, chunk []jetstream.Msg) {
	futures := make([]jetstream.PubAckFuture, len(chunk))
	for i, m := range chunk {
		meta, err := m.Metadata()
		if err != nil {
			continue
		}
		source := events.Source{Stream: meta.Stream, Seq: meta.Sequence.Stream, Time: meta.Timestamp}
		out := &nats.Msg{
			Subject: "wx.profiles." + strings.Split(m.Subject(), ".")[2],
			Header:  nats.Header{events.HeaderMsgID: {source.MsgID("")}},
			Data:    m.Data(),
		}
		futures[i], _ = js.PublishMsgAsync(out)
	}
	for i, f := range futures {
		if f == nil {
			continue // delivered again
		}
		select {
		case <-f.Ok():
			_ = chunk[i].Ack()
		case err := <-f.Err():
			fmt.Println("not stored:", err)
		}
	}
}
