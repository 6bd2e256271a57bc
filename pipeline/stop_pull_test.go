package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A lane that stops while a pull is still open has a batch that it does not
// begin any more. It waits for the pull, and does not keep the processor busy
// meanwhile: in a bubble it would do so for ever.
func TestStopWhileAPullIsOpen(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.Concurrency = 1
		lane := w.start(cfg)
		w.publish(1, w.openid)
		time.Sleep(100 * time.Millisecond)
		w.publish(1, func(int) []byte { return w.openid(2) }) // waits for the first call's end
		time.Sleep(1890 * time.Millisecond)                   // a token takes one second, the call another
		lane.stop()
		if c := lane.Stats().Counts(); c.Records != 1 || c.HandedBack != 1 {
			t.Errorf("%d records, %d handed back; want one each", c.Records, c.HandedBack)
		}
	}, wechattest.WithLatency(wechattest.Constant(time.Second)))
}

// The same where the output takes nothing: what is left over of a stop is not
// published again and again until the pull has ended.
func TestStopWhileTheOutputIsFull(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.unaged()
		w.update("WX_DEAD", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
		cfg := lifelike()
		lane := w.start(cfg)
		w.publish(3, func(int) []byte { return []byte("not an openid") })
		time.Sleep(time.Second)
		lane.stop()
		if n := lane.Stats().Counts().HandedBack; n != 2 {
			t.Errorf("%d handed back, want 2", n)
		}
	})
}
