package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A durable that is deleted, or a stream that is made anew, before anything says on
// the board where the lane began: the lane that runs knows, and goes on with what has
// come since, which input.start would refuse or leave out.
func TestDurableIsGoneBeforeTheFirstMark(t *testing.T) {
	const before, n = 7, 3
	gone := map[string]func(w *world, durable string){
		"durable": func(w *world, durable string) {
			if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", durable); err != nil {
				w.Fatal(err)
			}
		},
		"stream": func(w *world, _ string) {
			if err := w.js.DeleteStream(w.Context(), "WX_EVENTS"); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Minute)
			if _, err := w.js.CreateStream(w.Context(), jetstream.StreamConfig{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}); err != nil {
				w.Fatal(err)
			}
		},
	}
	for what, starts := range map[string][]string{"durable": {"", "new", "new, no board"}, "stream": {"", "new, in memory"}} {
		lose := gone[what]
		for _, start := range starts {
			t.Run(what+" of start "+start, func(t *testing.T) {
				inBubble(t, wechattest.AccountConfig{}, func(w *world) {
					mode, more, _ := strings.Cut(start, ", ")
					cfg := lifelike()
					cfg.Start, _ = pipeline.ParseStart(mode)
					cfg.InMemory = more == "in memory"
					if mode == "new" {
						w.publish(before, w.openid)
						time.Sleep(time.Minute)
					}
					var opts []func(*pipeline.Deps)
					if more != "no board" {
						opts = append(opts, w.board(w.bucket()))
					}
					lane := w.start(cfg, opts...)
					w.until("it runs", func() bool { return lane.State().Phase == pipeline.Running })
					for round := range 2 {
						lose(w, cfg.Durable)
						w.publish(n, func(i int) []byte { return w.openid(before + round*n + i) })
						w.stored("WX_PROFILES", (round+1)*n)
						w.settled(cfg.Durable)
						time.Sleep(longAfter)
					}
					if stored := w.held("WX_PROFILES"); stored != 2*n {
						t.Errorf("%d records of %d events", stored, 2*n)
					}
					if dead := w.held("WX_DEAD"); dead != 0 {
						t.Errorf("%d dead letters", dead)
					}
					if s := w.acc.Stats(); s.OpenIDs != 2*n {
						t.Errorf("%d people were looked up, want %d", s.OpenIDs, 2*n)
					}
				})
			})
		}
	}
}

// The same while nobody runs, where the board says that there was a durable and not
// yet how far all is answered: what came meanwhile is neither left out nor refused.
func TestDurableIsGoneBetweenRuns(t *testing.T) {
	const n = 3
	for _, mode := range []string{"", "new"} {
		t.Run("start "+mode, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				cfg := lifelike()
				cfg.Start, _ = pipeline.ParseStart(mode)
				kv := w.bucket()
				for round := range 2 {
					lane := w.start(cfg, w.board(kv))
					w.until("it runs", func() bool { return lane.State().Phase == pipeline.Running })
					if round == 0 {
						w.publish(n, w.openid)
					}
					w.stored("WX_PROFILES", (round+1)*n)
					w.settled(cfg.Durable)
					lane.stop()
					if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
						w.Fatal(err)
					}
					w.publish(n, func(i int) []byte { return w.openid((round+1)*n + i) })
				}
				if stored := w.held("WX_PROFILES"); stored != 2*n {
					t.Errorf("%d records of %d events", stored, 2*n)
				}
				if s := w.acc.Stats(); s.OpenIDs != 2*n {
					t.Errorf("%d people were looked up, want %d", s.OpenIDs, 2*n)
				}
			})
		})
	}
}
