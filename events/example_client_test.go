package events_test

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// yourJetStream is a server in the process with the default streams; a program
// has jetstream.New(nc) of its own connection.
func yourJetStream() (js jetstream.JetStream, stop func()) {
	dir, err := os.MkdirTemp("", "example")
	check(err)
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	check(err)
	s.Start()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	check(err)
	js, err = jetstream.New(nc)
	check(err)
	for name, subject := range map[string]string{"WX_EVENTS": "wx.events.>", "WX_PROFILES": "wx.profiles.>"} {
		_, _, err := events.EnsureStream(context.Background(), js, events.StreamSpec{Name: name, Subjects: []string{subject}}, events.Create)
		check(err)
	}
	return js, func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
		check(os.RemoveAll(dir))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ExamplePublisher() {
	js, stop := yourJetStream()
	defer stop()

	p, err := events.NewPublisher(js, events.PublisherConfig{})
	if err != nil {
		panic(err)
	}
	e := events.Event{
		AppID:  "wx0123456789abcdef",
		OpenID: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
		ID:     "order-17", // publishing it again stores nothing new
		Meta:   events.JSONValue([]byte(`{"campaign":"活动 🎉"}`)),
	}
	for range 2 {
		ack, err := p.Publish(context.Background(), e)
		if err != nil {
			panic(err)
		}
		fmt.Println(ack.Stream, ack.Sequence, ack.Duplicate)
	}
	// Output:
	// WX_EVENTS 1 false
	// WX_EVENTS 1 true
}

func ExamplePublisher_PublishAll() {
	js, stop := yourJetStream()
	defer stop()

	p, err := events.NewPublisher(js, events.PublisherConfig{Format: events.Msgpack})
	if err != nil {
		panic(err)
	}
	all := []events.Event{
		{AppID: "wx0123456789abcdef", OpenID: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", ID: "1"},
		{AppID: "wx0123456789abcdef", OpenID: "not an openid", ID: "2"},
	}
	stored, err := p.PublishAll(context.Background(), slices.Values(all))
	fmt.Println(stored, err) // go on with all[stored]
	// Output:
	// 1 event 1: events: event: openid: want 20 to 64 of A-Z a-z 0-9 _ -
}

func ExampleSubscriber() {
	js, stop := yourJetStream()
	defer stop()
	storeExampleRecord(js)

	s, err := events.NewSubscriber(context.Background(), js, events.SubscriberConfig{Durable: "crm"})
	if err != nil {
		panic(err)
	}
	ctx, enough := context.WithCancel(context.Background())
	err = s.Run(ctx, func(ctx context.Context, d *events.Delivery) error {
		r := d.Record
		fmt.Println(r.Event.ID, r.Status, r.User.Remark)
		enough() // ends after this record
		// nil acks. events.RetryAfter(time.Minute, err) has it again then,
		// events.Discard(err) never, any other error after a while.
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: order-17 following 重要客户
}

func ExampleSubscriber_RunBatches() {
	js, stop := yourJetStream()
	defer stop()
	storeExampleRecord(js)

	s, err := events.NewSubscriber(context.Background(), js, events.SubscriberConfig{Durable: "warehouse", Batch: 500})
	if err != nil {
		panic(err)
	}
	ctx, enough := context.WithCancel(context.Background())
	err = s.RunBatches(ctx, func(ctx context.Context, batch []*events.Delivery) error {
		for _, d := range events.Newest(batch) { // of each person the latest only
			fmt.Println("upsert", d.Record.Event.OpenID, "unless what is there is fetched after", d.Record.FetchedAt)
		}
		enough()
		return nil // acks the whole batch
	})
	if err != nil {
		panic(err)
	}
	// Output: upsert o6_bmjrPTlm6_2sgVt7hMZOPfL2M unless what is there is fetched after 2026-03-01 08:30:00.25 +0000 UTC
}

// storeExampleRecord puts one record where the service puts them.
func storeExampleRecord(js jetstream.JetStream) {
	msg, err := exampleRecord().Msg("wx.profiles.wx0123456789abcdef", events.Msgpack)
	check(err)
	_, err = js.PublishMsg(context.Background(), msg)
	check(err)
}
