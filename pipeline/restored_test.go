package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A durable restored from an older backup delivers again, for the first time
// as far as it knows, what was answered long ago. The mark tells; and where
// the bucket is lost too, everything that was there before is suspect.
func TestRestoredDurable(t *testing.T) {
	for name, lose := range map[string]func(w *world){
		"its mark is there":   func(*world) {},
		"and the bucket lost": func(w *world) { w.loseBucket() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 1500
				kv := w.bucket()
				w.publish(n, w.openid)
				cfg := lifelike()
				first := w.start(cfg, w.board(kv))
				w.answers(n)
				w.settled(cfg.Durable)
				first.stop()
				info := w.consumer(cfg.Durable).Config
				if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
					t.Fatal(err)
				}
				info.DeliverPolicy, info.OptStartSeq = jetstream.DeliverByStartSequencePolicy, 301
				if _, err := w.js.CreateConsumer(w.Context(), "WX_EVENTS", info); err != nil {
					t.Fatal(err)
				}
				lose(w)
				time.Sleep(longAfter)
				calls := w.asked()

				kv, err := w.js.KeyValue(w.Context(), "WX_STATE")
				if err != nil {
					t.Fatal(err)
				}
				second := w.start(cfg, w.board(kv))
				w.until("it runs", func() bool { return second.State().Phase == pipeline.Running })
				w.settled(cfg.Durable)
				w.once(n, calls)
				if c := second.Stats().Counts(); c.Repeats != n-300 || c.LookBacks > 2 {
					t.Errorf("%d repeats after %d look-backs", c.Repeats, c.LookBacks)
				}
			})
		})
	}
}

// loseBucket replaces the state bucket by an empty one.
func (w *world) loseBucket() {
	w.Helper()
	if err := w.js.DeleteKeyValue(w.Context(), "WX_STATE"); err != nil {
		w.Fatal(err)
	}
	w.bucket()
}

// An operator may set a durable back under the running service. The pull goes
// on, and nothing that comes says that it was delivered before.
func TestDurableIsSetBack(t *testing.T) {
	for name, board := range map[string]bool{"with the bucket": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 1500
				w.publish(n, w.openid)
				cfg := lifelike()
				var opts []func(*pipeline.Deps)
				if board {
					opts = append(opts, w.board(w.bucket()))
				}
				lane := w.start(cfg, opts...)
				w.answers(n)
				w.settled(cfg.Durable)
				time.Sleep(longAfter)
				calls := w.asked()
				for _, seq := range []uint64{101, 1490} {
					if _, err := w.js.ResetConsumerToSequence(w.Context(), "WX_EVENTS", cfg.Durable, seq); err != nil {
						t.Fatal(err)
					}
					w.publish(10, w.openid)
					w.settled(cfg.Durable)
					time.Sleep(longAfter)
				}
				if c := lane.Stats().Counts(); c.Repeats != 1400+21 || w.held("WX_PROFILES") != n+20 {
					t.Errorf("%d repeats, %d records of %d events", c.Repeats, w.held("WX_PROFILES"), n+20)
				}
				if more := w.asked() - calls; more > 6 {
					t.Errorf("%d calls for 20 new events", more)
				}
			})
		})
	}
}

// Nor has a replica that was started again, and has had nothing to do since, seen
// anything that would come again.
func TestDurableIsSetBackBeforeTheFirstDelivery(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 300
		w.publish(n, w.openid)
		cfg := lifelike()
		kv := w.bucket()
		first := w.start(cfg, w.board(kv))
		w.answers(n)
		w.settled(cfg.Durable)
		first.stop()
		time.Sleep(longAfter)
		calls := w.asked()
		second := w.start(cfg, w.board(kv))
		w.until("it runs", func() bool { return second.State().Phase == pipeline.Running })
		time.Sleep(5 * time.Second)
		if _, err := w.js.ResetConsumerToSequence(w.Context(), "WX_EVENTS", cfg.Durable, 1); err != nil {
			t.Fatal(err)
		}
		w.settled(cfg.Durable)
		w.once(n, calls)
	})
}

// What the service was told to leave out stays left out, whatever becomes of the
// durable that knew it.
func TestBeginOutlivesTheDurable(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.publish(10, w.openid)
		time.Sleep(time.Minute)
		cfg := lifelike()
		cfg.Start, _ = pipeline.ParseStart("new")
		lane := w.start(cfg, w.board(w.bucket()))
		w.until("it runs", func() bool { return lane.State().Phase == pipeline.Running })
		for range 3 {
			w.publish(20, w.openid)
			time.Sleep(15 * time.Second) // the mark is raised
		}
		w.settled(cfg.Durable)
		if err := w.js.DeleteConsumer(w.Context(), "WX_EVENTS", cfg.Durable); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.publish(20, w.openid)
		w.answers(80)
		w.settled(cfg.Durable)
		r, err := audit.Run(w.Context(), w.js, audit.Scope{Lanes: []audit.Lane{audit.DefaultLane(appid)}})
		if err != nil {
			t.Fatal(err)
		}
		if b := r.Lanes[0]; b.BeforeStart != 10 || b.Missing != 0 || b.Records != 80 {
			t.Errorf("%+v", b)
		}
	})
}
