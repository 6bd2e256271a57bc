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
	// What was in hand is back at once: a replica whose account works need not
	// wait for AckWait.
	c, err := w.js.Consumer(t.Context(), "WX_EVENTS", config().Durable)
	if err != nil {
		t.Fatal(err)
	}
	const inHand = 100
	again, err := c.Fetch(inHand, jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for m := range again.Messages() {
		if meta, err := m.Metadata(); err == nil && meta.NumDelivered > 1 {
			n++
		}
	}
	if n == 0 {
		t.Error("nothing that was in hand is delivered again")
	}
}
