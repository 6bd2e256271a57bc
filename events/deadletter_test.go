package events

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

func testDeadLetter() DeadLetter {
	return DeadLetter{
		Message: Message{
			Source: testSource(),
			Header: nats.Header{
				"Nats-Msg-Id": {"producer-1"}, "nats-rollup": {"all"}, "Wx-Dead-Reason": {"mine"}, "Wx-Orig-X": {"y"},
				"Content-Type": {"text/plain"}, "traceparent": {"00-a-b-01"}, "X-Two": {"1", "2"},
			},
			Data: []byte("not an openid"),
		},
		EventID: "producer-1", AppID: testAppID, Reason: Rejected, Code: 40003, Detail: "invalid openid",
		Attempts: 3, Time: time.Date(2026, 3, 1, 9, 0, 0, 5, time.UTC), Replay: "r1", Hop: 1,
	}
}

func TestDeadLetterRoundTrip(t *testing.T) {
	t.Parallel()
	want := testDeadLetter()
	m := want.Msg("wx.dead.x.rejected")
	for name, value := range map[string]string{
		"Nats-Msg-Id":            "dead:WX_EVENTS:123456:1772353800123456789:r1#1",
		"Wx-Orig-Nats-Msg-Id":    "producer-1",
		"Wx-Orig-nats-rollup":    "all",
		"Wx-Orig-Wx-Dead-Reason": "mine",
		"Wx-Dead-Reason":         "rejected",
		"Wx-Dead-Code":           "40003",
		"Wx-Dead-Message":        "invalid openid",
		"Wx-Dead-Attempts":       "3",
		"Wx-Dead-Time":           "2026-03-01T09:00:00.000000005Z",
		"Wx-Dead-Event-Id":       "producer-1",
		"Wx-Src-Stream":          "WX_EVENTS",
		"Wx-Src-Seq":             "123456",
		"Wx-Src-Time":            "2026-03-01T08:30:00.123456789Z",
		"Content-Type":           "text/plain",
	} {
		if got := m.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if _, there := m.Header["nats-rollup"]; there {
		t.Error("a command to the server was copied as it is")
	}
	got, err := ParseDeadLetter(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
}

// What a producer managed to send must not keep its dead letter from being
// stored.
func TestDeadLetterIsAlwaysStored(t *testing.T) {
	t.Parallel()
	s := eventstest.NewServer(t, eventstest.MaxPayload(2048))
	js := s.JetStream()
	if _, _, err := EnsureStream(t.Context(), js, StreamSpec{Name: "DEAD", Subjects: []string{"dead.>"}}, Create); err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]nats.Header{
		"commands":    {"Nats-Expected-Stream": {"OTHER"}, "NATS-EXPECTED-LAST-SEQUENCE": {"99"}, "Nats-TTL": {"never"}, "Nats-Rollup": {"all"}},
		"line breaks": {"X": {"a\r\nNats-Rollup: all\r\n\r\n"}},
		"bad names":   {"a b": {"1"}, "ü": {"2"}, `"`: {"3"}, "": {"4"}},
		"large":       {"X": {string(bytes.Repeat([]byte("x"), 1900))}},
		"none":        nil,
	} {
		d := testDeadLetter()
		d.Message.Header = header
		d.Message.Data = bytes.Repeat([]byte("d"), 2000)
		d.Message.Seq += uint64(len(name))
		d.Detail = "two\r\nlines"
		d.Limit = 2048
		if _, err := js.PublishMsg(t.Context(), d.Msg("dead.x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	stream, err := js.Stream(t.Context(), "DEAD")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 5 {
		t.Errorf("%d dead letters stored, want 5", got)
	}
}

func TestDeadLetterTruncates(t *testing.T) {
	t.Parallel()
	d := testDeadLetter()
	d.Message.Data = bytes.Repeat([]byte("x"), 5000)
	d.Limit = 2000
	m := d.Msg("s")
	if size := headerSize(m.Header) + len(m.Data); size != 2000 {
		t.Errorf("message of %d bytes, want 2000", size)
	}
	got, err := ParseDeadLetter(m.Header, m.Data)
	if err != nil || got.Truncated != 5000 {
		t.Errorf("Truncated = %d, %v, want 5000", got.Truncated, err)
	}
	got.Limit = 1800 // redriven and dead again: the original size stays known
	if m := got.Msg("s"); m.Header.Get(HeaderDeadTruncated) != "5000" {
		t.Errorf("%s after a second cut: %q, want 5000", HeaderDeadTruncated, m.Header.Get(HeaderDeadTruncated))
	}
	d.Limit = 10_000
	if m := d.Msg("s"); len(m.Data) != 5000 || m.Header.Get(HeaderDeadTruncated) != "" {
		t.Errorf("cut to %d bytes without need", len(m.Data))
	}
}

func TestParseDeadLetterRefuses(t *testing.T) {
	t.Parallel()
	d := testDeadLetter()
	for _, name := range []string{HeaderSrcSeq, HeaderSrcTime, HeaderDeadCode, HeaderDeadAttempts, HeaderDeadTime, HeaderHop} {
		m := d.Msg("s")
		m.Header[name] = []string{"x"}
		if _, err := ParseDeadLetter(m.Header, m.Data); err == nil {
			t.Errorf("a wrong %s was accepted", name)
		}
	}
	if _, err := ParseDeadLetter(nil, nil); err == nil {
		t.Error("a message without headers was accepted")
	}
}
