package pipeline_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A backlog of nine calls for every five that a day has: the lanes begin an hour
// before midnight in Beijing, stop at the limit, and end the next day.
func TestQuotaOfTwoDays(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) { quotaOfTwoDays(t, replicas) })
	}
}

func quotaOfTwoDays(t *testing.T, replicas int) {
	const calls = 100 / min(scale, 5)
	const n = 180 * calls
	inBubble(t, wechattest.AccountConfig{Limits: wechattest.Limits{UserInfo: calls}}, func(w *world) {
		midnight := time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)
		w.publish(n, w.openid)
		time.Sleep(time.Until(midnight.Add(-time.Hour)))
		kv := w.bucket()
		var lanes []*running
		for range replicas {
			lanes = append(lanes, w.start(lifelike(), w.board(kv)))
		}
		flight := 4 * replicas // calls

		time.Sleep(time.Minute - time.Second)
		before := w.acc.Stats().Codes[45009]
		if before == 0 || before > flight {
			t.Errorf("%d calls were refused at the limit, want those in flight, %d at most", before, flight)
		}
		time.Sleep(29 * time.Minute)
		var back int64
		for _, lane := range lanes {
			w.wantHold(lane, pipeline.HoldDailyQuota, 45009)
			if until := lane.State().Hold.Until; until.Before(midnight) || until.After(midnight.Add(10*time.Minute)) {
				t.Errorf("held until %v, want soon after midnight in Beijing", until)
			}
			back += lane.Stats().Counts().HandedBack
		}
		if probes := w.acc.Stats().Codes[45009] - before; probes != 1 {
			t.Errorf("%d probes before midnight, want one", probes)
		}
		if got := w.held("WX_PROFILES"); got > calls*100 || got < calls*100-200*replicas { // a batch or two may not have been full
			t.Errorf("%d records on the first day, want %d", got, calls*100)
		}
		if most := int64(600 * replicas); back == 0 || back > most { // four calls, the next batch, what the client had
			t.Errorf("%d events handed back at the hold, want those in hand, %d at most", back, most)
		}

		asked := w.asked()
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

		stats := w.acc.Stats()
		if later := stats.Codes[45009] - before; later != 1 {
			t.Errorf("%d calls were refused after the limit was found, want one probe", later)
		}
		// Batches of replicas that share the rest are not all full.
		if again := w.asked() - asked; again > (n-calls*100)/100+1+3+6*replicas {
			t.Errorf("%d calls on the second day, %d and a probe could do", again, (n-calls*100)/100)
		}
		if twice := w.consumer(lifelike().Durable).Delivered.Consumer - n; twice != uint64(back) {
			t.Errorf("%d deliveries were repeated, want the %d that were handed back", twice, back)
		}
	})
}
