package pipeline_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// crowded counts how many look for a stream at once.
type crowded struct {
	jetstream.JetStream
	now, most atomic.Int64
}

func (c *crowded) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	time.Sleep(time.Millisecond) // as over a network
	return c.JetStream.Stream(ctx, name)
}

// TestManyLanesBeginInTurns starts more lanes than a server likes to hear from
// at once: all get to run, a few at a time.
func TestManyLanesBeginInTurns(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const accounts, abreast = 60, 16
		out, err := pipeline.NewPublisher(w.nats.Connect(nats.ReconnectBufSize(-1)))
		if err != nil {
			t.Fatal(err)
		}
		js := &crowded{JetStream: w.js}
		var lanes []*running
		for i := range accounts {
			cfg := pipeline.DefaultConfig(fmt.Sprint("wxcrowd", i))
			lanes = append(lanes, w.start(cfg, func(d *pipeline.Deps) { d.JS, d.Out = js, out }))
		}
		for _, l := range lanes {
			w.until("all run", func() bool { return l.State().Phase == pipeline.Running })
		}
		if most := js.most.Load(); most < 2 || most > abreast {
			t.Errorf("%d asked at once, want %d at most", most, abreast)
		}
		for _, l := range lanes {
			l.stop()
		}
	})
}
