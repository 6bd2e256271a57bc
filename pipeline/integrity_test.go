package pipeline_test

import (
	"testing"

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
			w.Fatalf("event %d: a record carries somebody else's unionid", a.src(w))
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

// TestNobodyGetsAnothersUnionID mixes all that has been seen of WeChat's
// batches, in many batches of a few people each.
func TestNobodyGetsAnothersUnionID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Quirks: wechattest.Quirks{Unknown: wechattest.UnknownShiftsUnionID}}, wechattest.WithSeed(3))
	for _, do := range []wechattest.Action{{MissingRow: true}, {DoubledRow: true}, {UnaskedRow: true}, {ShiftUnionID: true}, {BlankRow: true}} {
		w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.05}, Do: do})
	}
	const n = 100_000 / scale
	unknown := func(i int) bool { return i%97 == 13 }
	w.publish(n, func(i int) []byte {
		if unknown(i) {
			return []byte(w.acc.UnknownOpenID(i))
		}
		return w.openid(i)
	})
	cfg := config()
	cfg.BatchSize, cfg.Fixed, cfg.Recheck = 10, true, cfg.RetryInitial
	lane := w.start(cfg)
	answers := w.answers(n)
	w.unionids(answers)
	for _, a := range answers {
		if unknown(int(a.src(t))-1) != (a.reason == events.Rejected) {
			t.Fatalf("event %d became %s %s", a.src(t), a.record.Status, a.reason)
		}
	}
	c := lane.Stats().Counts()
	t.Logf("%d calls for %d batches of 10; doubts %v", c.Calls, n/10, c.Doubts)
}
