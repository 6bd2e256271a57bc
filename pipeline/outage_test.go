package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestReadinessFollowsTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	lane := w.start(config())
	w.until("the lane runs", func() bool { return lane.State().Ready() })
	w.nats.Stop()
	w.until("the lane is not ready", func() bool { return lane.State().Phase == pipeline.Connecting })
	w.nats.Start()
	w.until("the lane is ready again", func() bool { return lane.State().Ready() })
	w.js = w.nats.JetStream()
	w.publish(10, w.openid)
	w.answers(10)
}

// An outage of WeChat is said once, and so is its end.
func TestSilenceOfWeChatIsSaid(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Reset: true}})
		w.publish(10, w.openid)
		lane := w.start(lifelike())
		time.Sleep(20 * time.Second)
		if s := lane.State(); s.WeChat != "" {
			t.Errorf("after twenty seconds: %+v", s)
		}
		time.Sleep(2 * time.Minute)
		if s := lane.State(); s.WeChat == "" || !s.Ready() {
			t.Errorf("after two minutes: %+v", s)
		}
		mend()
		w.answers(10)
		if s := lane.State(); s.WeChat != "" {
			t.Errorf("after it is mended: %+v", s)
		}
	})
}
