package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A restart of the server forgets a durable in memory: it goes on where it was
// all the same, also if it had not delivered anything yet.
func TestDurableInMemory(t *testing.T) {
	for start, before := range map[string]int{"": 0, "new": 0, "new, behind others": 7, "all": 7} {
		t.Run("start "+start, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				mode, _, _ := strings.Cut(start, ",")
				cfg := lifelike()
				cfg.InMemory = true
				cfg.Start, _ = pipeline.ParseStart(mode)
				w.publish(before, w.openid)
				answered := 0
				if mode == "all" {
					answered = before
				}
				kv := w.bucket()
				lane := w.start(cfg, w.board(kv))
				w.until("it runs", func() bool { return lane.State().Phase == pipeline.Running })
				if !w.consumer(cfg.Durable).Config.MemoryStorage {
					t.Error("the durable's state is written to disk")
				}
				last := before
				for _, n := range []int{3, 1200, 50} {
					w.nats.Restart()
					js := w.nats.JetStream() // is there before the lane's connection
					for range n {
						if _, err := js.Publish(w.Context(), cfg.Subjects[0], w.openid(last)); err != nil {
							t.Fatal(err)
						}
						last++
					}
					answered += n
					w.until("the connections are back", func() bool { _, err := w.js.Conn().RTT(); return err == nil })
					w.stored("WX_PROFILES", answered)
					w.settled(cfg.Durable)
				}
				time.Sleep(longAfter)
				if stored := w.held("WX_PROFILES") + w.held("WX_DEAD"); stored != answered {
					t.Errorf("%d answers to %d events", stored, answered)
				}
				if twice := w.acc.Stats().OpenIDs - answered; twice > 0 {
					t.Errorf("%d people were looked up twice", twice)
				}
			})
		})
	}
}

// Where nothing says where to go on, or events go with the durable, it may not
// be forgotten.
func TestDurableInMemoryIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare func(w *world, cfg *pipeline.Config)
		board   bool
		want    string
	}{
		"without a bucket": {func(*world, *pipeline.Config) {}, false, "state bucket"},
		"by interest": {func(w *world, cfg *pipeline.Config) {
			cfg.Stream = "INTEREST"
			cfg.Subjects = []string{"interest"}
			if _, err := w.js.CreateStream(w.Context(), jetstream.StreamConfig{Name: cfg.Stream, Subjects: cfg.Subjects, Retention: jetstream.InterestPolicy}); err != nil {
				w.Fatal(err)
			}
		}, true, "interest"},
		"where to begin is not said": {func(w *world, cfg *pipeline.Config) {
			cfg.Start = pipeline.Start{}
			w.publish(5, w.openid)
		}, true, "say where to begin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{})
			cfg := config()
			cfg.InMemory = true
			tc.prepare(w, &cfg)
			var opts []func(*pipeline.Deps)
			if tc.board {
				opts = append(opts, w.board(w.bucket()))
			}
			lane := w.start(cfg, opts...)
			refusal, ok := errors.AsType[*pipeline.Refusal](<-lane.done)
			lane.done <- nil
			if !ok || !strings.Contains(refusal.Reason, tc.want) {
				t.Errorf("%v, want a refusal that says %q", refusal, tc.want)
			}
		})
	}
}
