package pipeline_test

import (
	"context"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestSlowWeChatStopsThePull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	unhang := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Hang: true}})
	w.publish(5000, w.openid)
	cfg := config()
	cfg.Concurrency, cfg.BatchSize, cfg.Grace = 2, 50, 100*time.Millisecond
	lane := w.start(cfg)
	const full = 50*(2+1) + 50 // every call, a batch more, and what the client had buffered
	w.until("its hands are full", func() bool { return lane.Stats().Counts().InHand >= 150 })
	info := w.consumer(cfg.Durable)
	if info.NumAckPending > full {
		t.Errorf("%d events are taken from the server, want %d at most", info.NumAckPending, full)
	}
	unhang()
}

func TestBeatsKeepWhatIsInHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	slow := wechattest.Constant(3500 * time.Millisecond)
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Latency: &slow}})
	cfg := config()
	cfg.AckWait, cfg.Concurrency, cfg.Fixed = 3*time.Second, 1, true
	const n = 250 // two calls, one after the other, and a third that waits in the client
	w.publish(n, w.openid)
	lane := w.start(cfg)
	w.answers(n)
	// Without beats each event would come twice at least. A few may on a machine
	// that is too busy to beat in time.
	if c := lane.Stats().Counts(); c.Received > n+n/4 {
		t.Errorf("%d deliveries of %d events: the server did not know that they were in hand", c.Received, n)
	}
}

func TestAtomicBatchesFallBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(300, w.openid)
	cfg := config()
	cfg.Atomic = true
	first := w.start(cfg)
	w.answers(300)
	first.stop()
	// The durable is made anew, so everything is delivered again. The server
	// knows every message id, and so refuses every batch as a whole.
	if err := w.js.DeleteConsumer(context.Background(), cfg.Stream, cfg.Durable); err != nil {
		t.Fatal(err)
	}
	w.start(cfg)
	w.until("the events are delivered", func() bool { return w.asked() >= 6 })
	w.settled(cfg.Durable)
	w.answers(300)
	if n := w.held("WX_PROFILES"); n != 300 {
		t.Errorf("%d records of 300 events", n)
	}
}

func TestRateBoundsCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{}, wechattest.WithSeed(4))
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.3}, Do: wechattest.Action{Code: -1}})
	cfg := config()
	cfg.BatchSize, cfg.Rate = 10, 50
	w.publish(400, w.openid)
	began := time.Now()
	lane := w.start(cfg)
	w.answers(400)
	calls, took := lane.Stats().Counts().Calls, time.Since(began)
	if calls <= 40 {
		t.Error("nothing was retried: the test does not show that retries pay")
	}
	if most := took.Seconds()*cfg.Rate + 1; float64(calls) > most {
		t.Errorf("%d calls in %v, want %.0f at most", calls, took, most)
	}
}
