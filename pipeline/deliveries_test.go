package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestAnswersSayHowOftenTheEventCame hands events back before the lane starts.
func TestAnswersSayHowOftenTheEventCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	durable, err := w.js.CreateConsumer(t.Context(), cfg.Stream, jetstream.ConsumerConfig{
		Durable: cfg.Durable, FilterSubjects: cfg.Subjects, AckPolicy: jetstream.AckExplicitPolicy, AckWait: cfg.AckWait, MaxAckPending: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.publish(2, func(i int) []byte { return [][]byte{w.openid(0), []byte("not an openid")}[i] })
	for range 4 { // two deliveries of each
		m, err := durable.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	w.publish(1, w.openid)
	w.start(cfg)
	said := map[uint64][]string{}
	for _, a := range w.answers(3) {
		said[a.src(t)] = a.msg.Headers()[events.HeaderDeliveries]
	}
	sum := 0
	for _, seq := range []uint64{1, 2} {
		if len(said[seq]) == 0 {
			sum++ // of one that came once nothing is said
		}
		for _, v := range said[seq] {
			sum += int(v[0] - '0')
		}
	}
	if sum != 6 { // which of the two comes again first is the server's choice
		t.Errorf("deliveries %v, want six of the first two events", said)
	}
	if d := cmp.Diff([]string(nil), said[3]); d != "" {
		t.Errorf("of an event that came once: %s", d)
	}
}
