package pipeline_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A blank row looks like that of somebody who left, whenever they followed.
func TestBlankRowsOfOldEvents(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 20_000 / min(scale, 4)
		left := func(i int) bool { return i%100 == 50 }
		for i := range n {
			if left(i) {
				w.acc.Unfollow(w.acc.OpenID(i))
			}
		}
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.1}, Do: wechattest.Action{BlankRow: true}})
		w.publish(n, w.openid)
		time.Sleep(time.Hour)
		lane := w.start(lifelike())
		wrong := 0
		for _, a := range w.answers(n) {
			switch gone := left(int(a.src(t)) - 1); {
			case gone && a.record.Status != events.NotFollowing:
				t.Fatalf("event %d: %s", a.src(t), a.record.Status)
			case !gone && a.record.Status != events.Following:
				wrong++ // blank twice, when those who have left had used up the third looks
			}
		}
		if wrong > 1 {
			t.Errorf("%d followers are said not to follow", wrong)
		}
		c := lane.Stats().Counts()
		if most := int64(n/100*12/10 + 5); c.Calls > most && scale == 1 { // chance decides about a few
			t.Errorf("%d calls for %d batches, want %d at most", c.Calls, n/100, most)
		}
		t.Logf("%d calls for %d batches", c.Calls, n/100)
	}, wechattest.WithSeed(4), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
}

// Some are blank in every batch they are in: a call of their own tells.
func TestBlankInEveryBatch(t *testing.T) {
	for name, age := range map[string]time.Duration{"now": 0, "an hour ago": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n, blank = 500, 8
				for i := range blank {
					w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, OpenID: w.acc.OpenID(50 * i)}, Do: wechattest.Action{BlankRow: true}})
				}
				w.acc.Unfollow(w.acc.OpenID(n - 1))
				w.publish(n, w.openid)
				time.Sleep(age)
				lane := w.start(lifelike())
				answers := w.answers(n)
				w.unionids(answers)
				if got := count(answers); got["following"] != n-1 || got["not_following"] != 1 {
					t.Errorf("answers: %v", got)
				}
				// The batches, one more for the second looks, a call for each third
				// look, and for a batch that ends with one of them.
				if calls := lane.Stats().Counts().Calls; calls > n/100+1+blank+1+4 {
					t.Errorf("%d calls for %d batches", calls, n/100)
				}
			}, wechattest.WithSeed(2), wechattest.WithLatency(usual))
		})
	}
}

// Where many have left, looking twice at all of them would cost many calls.
func TestSecondLooksAreBounded(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 20_000 / min(scale, 4)
		for i := range n {
			if i%3 == 0 {
				w.acc.Unfollow(w.acc.OpenID(i))
			}
		}
		w.publish(n, w.openid)
		time.Sleep(time.Hour)
		cfg := lifelike()
		cfg.ExpectUnionID = pipeline.ExpectNo
		lane := w.start(cfg)
		w.answers(n)
		c := lane.Stats().Counts()
		// The second looks, and every third batch ends with somebody who left,
		// where one more person is asked for alone.
		if most := int64(n/100 + n/100/50 + 2 + n/100*6/10); c.Calls > most && scale == 1 { // in the mean 288, and chance decides about 20
			t.Errorf("%d calls for %d batches, want %d at most", c.Calls, n/100, most)
		}
		t.Logf("%d calls for %d batches", c.Calls, n/100)
	}, wechattest.WithSeed(4), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
}

// emptied gives one person of each third batch a row that says nothing at all.
type emptied struct {
	pipeline.Directory
	calls int
}

func (e *emptied) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	users, err := e.Directory.BatchGet(ctx, qs)
	if e.calls++; err == nil && e.calls%3 == 1 {
		users[0] = wechat.User{OpenID: users[0].OpenID, Raw: []byte(`{"openid":"` + users[0].OpenID + `"}`)}
	}
	return users, err
}

func TestEmptyRowsAreNoAnswers(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 3000
		w.publish(n, w.openid)
		time.Sleep(time.Hour)
		cfg := lifelike()
		cfg.Recheck, cfg.Concurrency = 0, 1 // nothing else would repair them
		lane := w.start(cfg, func(d *pipeline.Deps) { d.WeChat = &emptied{Directory: w.client(appid, secret)} })
		if got := count(w.answers(n)); got["following"] != n {
			t.Errorf("answers: %v", got)
		}
		if c := lane.Stats().Counts(); c.Missing == 0 {
			t.Error("no row was empty: the test tests nothing")
		}
	})
}

// TestCostOfADoubtfulBatch counts the calls that repairing a batch takes.
func TestCostOfADoubtfulBatch(t *testing.T) {
	for name, tc := range map[string]struct {
		do   wechattest.Action
		most float64 // calls for such a batch, the first one included
	}{
		"missing": {wechattest.Action{MissingRow: true}, 2.3},
		"doubled": {wechattest.Action{DoubledRow: true}, 2.9},
		"unasked": {wechattest.Action{UnaskedRow: true}, 2.9},
		"shifted": {wechattest.Action{ShiftUnionID: true}, 4.2},
		"blank":   {wechattest.Action{BlankRow: true}, 1.3},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n, struck = 20_000 / min(scale, 10), 20 / min(scale, 10)
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.15}, Times: struck, Do: tc.do})
				w.publish(n, w.openid)
				time.Sleep(time.Hour)
				lane := w.start(lifelike())
				answers := w.answers(n)
				if got := count(answers); got["following"] < n-1 || got["following"]+got["not_following"] != n { // one may be blank twice
					t.Errorf("answers: %v", got)
				}
				w.unionids(slices.DeleteFunc(answers, func(a answer) bool { return a.record.Status == events.NotFollowing }))
				each := float64(lane.Stats().Counts().Calls-n/100)/struck + 1
				if each > tc.most && scale == 1 { // chance decides about a few
					t.Errorf("%.2f calls, want %.1f at most", each, tc.most)
				}
				t.Logf("%.2f calls", each)
			}, wechattest.WithSeed(1), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
		})
	}
}
