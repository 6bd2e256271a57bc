package pipeline_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestSpentQuotaHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: 5}})
	w.publish(2000, w.openid)
	lane := w.start(config())
	w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
	w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
	h := lane.State().Hold
	if h.Reason != pipeline.HoldDailyQuota || h.Code != 45009 || h.RID == "" || h.Hint == "" || !h.Until.After(h.Since) {
		t.Errorf("hold: %+v", h)
	}
	if n := w.held("WX_PROFILES"); n != 500 {
		t.Errorf("%d records, want those of the 5 calls there were", n)
	}
	if n := w.held("WX_DEAD"); n != 0 {
		t.Errorf("%d dead letters for a spent quota", n)
	}
	// What was in hand is back at once: a replica whose account works gets all
	// that is left well before AckWait.
	c, err := w.js.Consumer(t.Context(), "WX_EVENTS", config().Durable)
	if err != nil {
		t.Fatal(err)
	}
	const left = 2000 - 500
	again, err := c.Fetch(left, jetstream.FetchMaxWait(15*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range again.Messages() {
		n++
	}
	if n != left {
		t.Errorf("%d of %d events can be had", n, left)
	}
}

// A hold that hands back to its own open pull gets the same event again and
// again, and each time the server counts a delivery.
func TestHoldTakesAnEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 48001}})
	w.publish(1, w.openid)
	lane := w.start(config())
	w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
	w.until("the event is back", func() bool { return lane.Stats().Counts().InHand == 0 })
	c, err := w.js.Consumer(t.Context(), "WX_EVENTS", config().Durable)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if meta, err := msg.Metadata(); err != nil || meta.NumDelivered > 2 {
		t.Errorf("delivery %d, %v, want the second", meta.NumDelivered, err)
	}
}

// A token that has ended during a hold is no reason for another one: its first
// probe gets a new token.
func TestTokenEndsDuringAHold(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		mend := w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 61024}})
		w.publish(50, w.openid)
		lane := w.start(lifelike())
		w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		next := lane.State().Hold.Until
		mend()
		w.acc.KillTokens()
		time.Sleep(time.Until(next) + 5*time.Second)
		if s := lane.State(); s.Phase != pipeline.Running || w.held("WX_PROFILES") != 50 {
			t.Errorf("after the first probe: %+v, %d records", s, w.held("WX_PROFILES"))
		}
	})
}
