package pipeline_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestStopUnderLoadThenRestart(t *testing.T) {
	t.Parallel()
	const n = 3000
	w := newWorld(t, wechattest.AccountConfig{}, wechattest.WithLatency(wechattest.Constant(20*time.Millisecond)))
	w.publish(n, w.openid)
	first := w.start(config())
	w.stored("WX_PROFILES", 300)
	began := time.Now()
	first.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if c := first.Stats().Counts(); c.InHand != 0 || c.Received != c.Records+c.HandedBack {
		t.Errorf("counts after the stop: %+v", c)
	}
	w.start(config())
	w.answers(n)
	w.settled(config().Durable)
}

func TestStopWhileWeChatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	unhang := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Hang: true}})
	w.publish(250, w.openid)
	cfg := config()
	cfg.Grace = 300 * time.Millisecond
	first := w.start(cfg)
	w.until("WeChat is asked", func() bool { return first.Stats().Counts().Batches >= 2 })
	first.stop()
	c := first.Stats().Counts()
	if c.InHand != 0 || c.Records != 0 || c.HandedBack == 0 {
		t.Errorf("counts after the stop: %+v", c)
	}
	unhang()
	w.start(config())
	w.answers(250)
}

// The batch that is open at the stop goes into a call that is free: whoever
// takes over would ask for its people later.
func TestStopLooksUpTheOpenBatch(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		cfg := lifelike()
		cfg.Fixed, cfg.Window = true, time.Minute
		lane := w.start(cfg)
		w.publish(5, w.openid)
		time.Sleep(5 * time.Second)
		began := time.Now()
		lane.stop()
		if c := lane.Stats().Counts(); c.Records != 5 || c.Calls != 1 {
			t.Errorf("counts after the stop: %+v", c)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
	}, wechattest.WithLatency(wechattest.Constant(100*time.Millisecond)))
}

func TestStopWhileIdleIsQuick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(1, w.openid)
	lane := w.start(config())
	w.answers(1)
	began := time.Now()
	lane.stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("an idle lane took %v to stop", took)
	}
}
