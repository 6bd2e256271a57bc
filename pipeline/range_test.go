package pipeline

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// A task is over when its range is answered, whatever has become of what lies
// behind: a message of that which was on its way when the pull ended stays ours
// until AckWait.
func TestRangeIsAnswered(t *testing.T) {
	t.Parallel()
	js := eventstest.NewServer(t).JetStream()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const behind = 2
	l := &Lane{task: &task{to: 3}}
	for range l.task.to + behind {
		if _, err := js.Publish(t.Context(), "s", nil); err != nil {
			t.Fatal(err)
		}
	}
	batch, err := consumer.Fetch(int(l.task.to) + behind)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= l.task.to; n++ {
		if l.rangeAnswered(consumer) {
			t.Errorf("it is over with %d of %d answered", n-1, l.task.to)
		}
		if err := (<-batch.Messages()).DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !l.rangeAnswered(consumer) {
		t.Error("it waits for what is behind its range")
	}
}
