package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// An operator may shorten the window of the output beside the running service: an
// id is then known for a shorter time than when the lane began. What another
// replica had answered when it died is not answered again.
func TestOutputIsEdited(t *testing.T) {
	for name, edit := range map[string]func(w *world){
		"shorter window": func(w *world) {
			stream, err := w.js.Stream(w.Context(), "WX_PROFILES")
			if err != nil {
				w.Fatal(err)
			}
			cfg := stream.CachedInfo().Config
			cfg.Duplicates = 2 * time.Second
			cfg.MaxAge = 0 // an update has the server look at ages by a clock outside the bubble
			if _, err := w.js.UpdateStream(w.Context(), cfg); err != nil {
				w.Fatal(err)
			}
		},
		"not at all": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n, more = 50, 30
				kv := w.bucket()
				viewer := w.viewer(kv)
				cfg := lifelike()
				cfg.Durable = "shared"
				w.publish(n, w.openid)
				lane := w.start(cfg, w.board(kv))
				w.answers(n)
				w.settled(cfg.Durable)
				if err := viewer.Hold(w.Context(), appid, "test", "", time.Time{}); err != nil {
					t.Fatal(err)
				}
				w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
				time.Sleep(time.Minute) // its pull has ended
				w.publish(more, func(i int) []byte { return w.openid(n + i) })
				w.dies(cfg.Durable, more)

				other := lifelike() // answers for the one who is to die
				second := w.start(other)
				w.until("it runs", func() bool { return second.State().Phase == pipeline.Running })
				w.settled(other.Durable)
				if held := w.held("WX_PROFILES"); held != n+more {
					t.Fatalf("%d records, want %d", held, n+more)
				}
				edit(w)
				time.Sleep(cfg.AckWait + time.Minute)
				if _, err := viewer.Resume(w.Context(), appid); err != nil {
					t.Fatal(err)
				}
				w.settled(cfg.Durable)
				if held := w.held("WX_PROFILES"); held != n+more {
					t.Errorf("%d records for %d events", held, n+more)
				}
			})
		})
	}
}

// dies has a replica take events and be gone.
func (w *world) dies(durable string, n int) {
	w.Helper()
	c, err := w.js.Consumer(w.Context(), "WX_EVENTS", durable)
	if err != nil {
		w.Fatal(err)
	}
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		w.Fatal(err)
	}
	got := 0
	for range batch.Messages() {
		got++
	}
	if got != n {
		w.Fatalf("it took %d of %d events", got, n)
	}
}
