//go:build linux

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// TestReplayBegins replays the end of a long stream, named by a time: where it
// begins is found without reading what is before.
func TestReplayBegins(t *testing.T) {
	const bar, part = 2 * time.Second, 1000
	w := newWorld(t, 1, map[string]string{"INPUT_START": "new"})
	w.input()
	w.bare(0, size(100_000, 5_000_000))
	since := time.Now()
	w.bare(size(100_000, 5_000_000), part)
	run := w.replica("")
	w.exists("WX_PROFILES", "KV_WX_STATE")

	began := time.Now()
	id := w.begins("replay", "--since", since.Format(time.RFC3339Nano))
	written := time.Since(began)
	j := w.reaches(id, nil)
	run.stop()
	if j.Progress.Records != part {
		t.Errorf("want %d records: %+v", part, j.Progress)
	}
	first := time.Time{}
	w.read("WX_PROFILES", func(m jetstream.Msg, stored time.Time) {
		if first.IsZero() && m.Headers().Get(events.HeaderReplay) == id {
			first = stored
		}
	})
	t.Logf("%s after the command was begun the job was there, after %s the first record", written.Round(time.Millisecond), first.Sub(began).Round(time.Millisecond))
	if first.Sub(began) > bar {
		t.Errorf("the first record was there after %s, want %s at most", first.Sub(began), bar)
	}
}

// input makes the input stream, for events from before there is a service.
func (w *world) input() {
	w.t.Helper()
	cfg := jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}, Discard: jetstream.DiscardNew}
	if _, err := w.js.CreateStream(w.t.Context(), cfg); err != nil {
		w.t.Fatal(err)
	}
}

// bare stores n events that are an openid and nothing else, and an event of
// another account beside each.
func (w *world) bare(first, n int) {
	w.t.Helper()
	const chunk = 2000 // twice as many messages: more may not be outstanding
	for from := first; from < first+n; from += chunk {
		for i := from; i < min(from+chunk, first+n); i++ {
			for _, account := range []string{appID, "wxsomebodyelses0"} {
				if _, err := w.js.PublishAsync(fmt.Sprintf("wx.events.%s.subscribe", account), []byte(w.account.OpenID(i))); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		select {
		case <-w.js.PublishAsyncComplete():
		case <-time.After(patience):
			w.t.Fatal("the stream does not take the events")
		}
	}
}
