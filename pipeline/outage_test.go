package pipeline_test

import (
	"testing"

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
