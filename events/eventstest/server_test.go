package eventstest_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

func TestRestartKeepsStoreAndPort(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t)
	url := s.URL()
	js := s.JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	if got := s.URL(); got != url {
		t.Errorf("URL() after restart = %s, want %s", got, url)
	}
	stream, err := s.JetStream().Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 1 {
		t.Errorf("%d messages after restart, want 1", got)
	}
}

func TestStopTwice(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t, eventstest.StoreDir(t.TempDir()), eventstest.SyncAlways(), eventstest.MaxPayload(4096))
	if got := s.Connect().MaxPayload(); got != 4096 {
		t.Errorf("MaxPayload() = %d, want 4096", got)
	}
	s.Stop()
	s.Stop()
}
