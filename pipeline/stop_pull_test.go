package pipeline_test

import (
	"testing"
	"time"

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
