package pipeline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// unionids fails the test if a record carries another unionid than WeChat has
// for the person.
func (w *world) unionids(answers []answer) {
	w.Helper()
	for _, a := range answers {
		if a.reason != "" {
			continue
		}
		row, _ := w.acc.User(a.record.Event.OpenID)
		var want struct{ UnionID string }
		decode(w, row, &want)
		if a.record.UnionID != want.UnionID {
			w.Fatalf("event %d: a record carries somebody else's unionid: %s %q %s %s, want %q", a.src(w), a.record.Status, a.record.UnionID, a.record.Source, a.record.Marker, want.UnionID)
		}
	}
}

func TestBatchesThatLieAreAskedAgain(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]wechattest.Action{
		"missing row":     {MissingRow: true},
		"doubled row":     {DoubledRow: true},
		"unasked row":     {UnaskedRow: true},
		"shifted unionid": {ShiftUnionID: true},
		"control chars":   {ControlChars: true},
		"errcode as text": {Code: -1, Quoted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{}, wechattest.WithSeed(2))
			w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.1}, Do: do})
			const n, size = 4000, 20
			w.publish(n, w.openid)
			cfg := config()
			cfg.BatchSize, cfg.Fixed = size, true
			lane := w.start(cfg)
			w.unionids(w.answers(n))
			c := lane.Stats().Counts()
			suspect := 0
			for _, k := range c.Doubts {
				suspect += int(k)
			}
			t.Logf("%d calls for %d batches, %d answers in doubt", c.Calls, n/size, suspect)
			if extra := int(c.Calls) - n/size - int(c.Retries); extra > 4*suspect+40 {
				t.Errorf("%d calls more than batches, for %d answers in doubt", extra, suspect)
			}
		})
	}
}

// A column that moves must show although many have left and leave no unionid
// behind, at the end of a batch as well.
func TestMovedUnionIDsAmongThoseWhoLeft(t *testing.T) {
	for name, quirks := range map[string]wechattest.Quirks{
		"a fault":        {},
		"unknown openid": {Unknown: wechattest.UnknownShiftsUnionID},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{Quirks: quirks}, func(w *world) {
				n := 5000 / min(scale, 2)
				left := func(i int) bool { return i%10 == 3 }
				for i := range n {
					if left(i) {
						w.acc.Unfollow(w.acc.OpenID(i))
					}
				}
				if name == "a fault" {
					w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.2}, Do: wechattest.Action{ShiftUnionID: true}})
				}
				w.publish(n, func(i int) []byte {
					if i%100 == 50 {
						return []byte(w.acc.UnknownOpenID(i))
					}
					return w.openid(i)
				})
				time.Sleep(10 * time.Minute)
				cfg := lifelike()
				cfg.BatchSize = 20
				lane := w.start(cfg)
				answers := w.answers(n)
				w.unionids(answers)
				if got := count(answers); got["not_following"] != n/10 || got["rejected"] != n/100 {
					t.Errorf("answers: %v", got)
				}
				if c := lane.Stats().Counts(); c.Doubts["unionid_moved"] == 0 {
					t.Error("nothing moved: the test tests nothing")
				}
			}, wechattest.WithSeed(7))
		})
	}
}

// TestNobodyGetsAnothersUnionID mixes all that has been seen of WeChat's
// batches, in many batches of a few people each. They come in rounds under a
// fake clock, so that each is looked up in the minute after they followed:
// later somebody who is said to have left is not asked for again.
func TestNobodyGetsAnothersUnionID(t *testing.T) {
	account := wechattest.AccountConfig{Quirks: wechattest.Quirks{Unknown: wechattest.UnknownShiftsUnionID}}
	inBubble(t, account, func(w *world) {
		for _, do := range []wechattest.Action{{MissingRow: true}, {DoubledRow: true}, {UnaskedRow: true}, {ShiftUnionID: true}, {BlankRow: true}} {
			w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.05}, Do: do})
		}
		const n, rounds = 100_000 / scale, 10
		unknown := func(i int) bool { return i%97 == 13 }
		cfg := config()
		cfg.BatchSize, cfg.Fixed, cfg.Recheck = 10, true, cfg.RetryInitial
		lane := w.start(cfg)
		for round := range rounds {
			w.publish(n/rounds, func(i int) []byte {
				i += round * n / rounds
				if unknown(i) {
					return []byte(w.acc.UnknownOpenID(i))
				}
				return w.openid(i)
			})
			w.settled(cfg.Durable)
		}
		answers := w.answers(n)
		// A blank row that comes twice is believed: there are a few one-person
		// batches at the end of each round, which have no witness.
		left := count(answers)[string(events.NotFollowing)]
		if left > 10 {
			w.Errorf("%d followers are said not to follow", left)
		}
		w.unionids(slices.DeleteFunc(slices.Clone(answers), func(a answer) bool {
			return a.record.Status == events.NotFollowing && a.record.UnionID == ""
		}))
		for _, a := range answers {
			if unknown(int(a.src(w))-1) != (a.reason == events.Rejected) {
				w.Fatalf("event %d became %s %s", a.src(w), a.record.Status, a.reason)
			}
		}
		c := lane.Stats().Counts()
		w.Logf("%d calls for %d batches of 10; doubts %v", c.Calls, n/10, c.Doubts)
	}, wechattest.WithSeed(3))
}
