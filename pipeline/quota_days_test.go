package pipeline_test

import (
	"maps"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A backlog of nine calls for every five that a day has: the lane begins an hour
// before midnight in Beijing, stops at the limit, and ends the next day.
func TestQuotaOfTwoDays(t *testing.T) {
	const calls = 100 / min(scale, 5)
	const n = 180 * calls
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: calls}}, func(w *world) {
		midnight := time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)
		w.publish(n, w.openid)
		time.Sleep(time.Until(midnight.Add(-time.Hour)))
		lane := w.start(lifelike())

		time.Sleep(30 * time.Minute)
		w.wantHold(lane, pipeline.HoldDailyQuota, 45009)
		if until := lane.State().Hold.Until; until.Before(midnight) || until.After(midnight.Add(10*time.Minute)) {
			t.Errorf("held until %v, want soon after midnight in Beijing", until)
		}
		if got := w.held("WX_PROFILES"); got > calls*100 || got < calls*100-200 { // a batch or two may not have been full
			t.Errorf("%d records on the first day, want %d", got, calls*100)
		}
		back := lane.Stats().Counts().HandedBack
		if most := int64(6 * 100); back == 0 || back > most { // four calls, the next batch, what the client had
			t.Errorf("%d events handed back at the hold, want those in hand, %d at most", back, most)
		}

		answers := w.answers(n)
		if got := count(answers); !maps.Equal(got, map[string]int{"following": n}) {
			t.Errorf("answers: %v", got)
		}
		for _, a := range answers {
			if idle := a.stored.After(midnight.Add(-50*time.Minute)) && a.stored.Before(midnight); idle || a.stored.After(midnight.Add(11*time.Minute)) {
				t.Fatalf("a record of %v, want none while the quota is spent, and the rest soon after midnight", a.stored)
			}
		}
		w.answeredOnce(n)

		codes := w.acc.Stats().Codes
		if refused := codes[45009]; refused > 4+1 {
			t.Errorf("%d calls were refused, want those in flight and one probe at most", refused)
		}
		if asked := w.asked() - codes[45009]; asked > n/100+1+5 { // a probe, and batches with a gap
			t.Errorf("%d calls were answered, %d could do", asked, n/100)
		}
		if twice := w.consumer(lifelike().Durable).Delivered.Consumer - n; twice != uint64(back) {
			t.Errorf("%d deliveries were repeated, want the %d that were handed back", twice, back)
		}
	})
}
