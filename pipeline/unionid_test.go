package pipeline_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// without lets person i have no unionid.
func (w *world) without(i int) {
	openid := w.acc.OpenID(i)
	row, _ := w.acc.User(openid)
	before, after, _ := strings.Cut(string(row), `"unionid":"`)
	_, after, _ = strings.Cut(after, `",`)
	w.acc.SetRow(openid, before+after)
}

func TestFollowerWithoutUnionID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		expect pipeline.Expect
		lack   int // of three who follow
		marked bool
		calls  int64
	}{
		{"another has one", pipeline.ExpectAuto, 1, true, 2},
		{"nobody has one", pipeline.ExpectAuto, 3, false, 1},
		{"all should have one", pipeline.ExpectYes, 3, true, 2},
		{"nobody has one, nor needs one", pipeline.ExpectNo, 3, false, 1},
		{"none needs one", pipeline.ExpectNo, 1, true, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{})
			for i := range tc.lack {
				w.without(i)
			}
			w.publish(3, w.openid)
			cfg := config()
			cfg.Fixed, cfg.ExpectUnionID = true, tc.expect
			var err error
			if cfg.Outputs[0].Subject, err = events.ParseTemplate("wx.profiles.{appid}.{unionid}", "appid", "unionid"); err != nil {
				t.Fatal(err)
			}
			lane := w.start(cfg)
			for _, a := range w.answers(3) {
				lacks := int(a.src(t)) <= tc.lack
				subject := "wx.profiles." + appid + "." + a.record.UnionID
				if lacks {
					subject += "_" // a subject has no empty token
				}
				if a.msg.Subject() != subject || (a.record.UnionID == "") != lacks {
					t.Errorf("event %d: unionid %q on %s, want %s", a.src(t), a.record.UnionID, a.msg.Subject(), subject)
				}
				if marked := a.record.Marker == events.MarkerNoUnionID; marked != (lacks && tc.marked) {
					t.Errorf("event %d: marker %q", a.src(t), a.record.Marker)
				}
			}
			c := lane.Stats().Counts()
			if c.Calls != tc.calls {
				t.Errorf("%d calls, want %d", c.Calls, tc.calls)
			}
			if (c.NoUnionID == int64(tc.lack)) != tc.marked {
				t.Errorf("%d counted", c.NoUnionID)
			}
		})
	}
}

// TestAccountThatIsBoundNoMore: asking for everybody alone from then on would
// cost a hundred times the calls.
func TestAccountThatIsBoundNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	lane := w.start(config())
	w.publish(100, w.openid)
	w.answers(100)
	const n = 1000
	for i := range n {
		w.without(i)
	}
	before := lane.Stats().Counts().Calls
	w.publish(n, w.openid)
	w.answers(100 + n)
	if calls := lane.Stats().Counts().Calls - before; calls > 250 {
		t.Errorf("%d calls for %d people", calls, n)
	} else {
		t.Logf("%d calls for %d people", calls, n)
	}
}

// TestManyWithoutUnionID: those who lack one share the call in which they are
// asked for again, and once it is the account it is believed.
func TestManyWithoutUnionID(t *testing.T) {
	const n = 2000
	for name, tc := range map[string]struct {
		expect pipeline.Expect
		every  int // of so many, one lacks a unionid
		marked int
		calls  int64 // at most
	}{
		"one in ten":                {pipeline.ExpectAuto, 10, n / 10, 2*n/100 + 6},
		"one in three":              {pipeline.ExpectAuto, 3, (n + 2) / 3, 2*n/100 + 16},
		"all, and nobody should":    {pipeline.ExpectAuto, 1, 0, n / 100},
		"all, and everybody should": {pipeline.ExpectYes, 1, n, n/100 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				for i := 0; i < n; i += tc.every {
					w.without(i)
				}
				w.publish(n, w.openid)
				cfg := lifelike()
				cfg.ExpectUnionID = tc.expect
				lane := w.start(cfg)
				marked := 0
				for _, a := range w.answers(n) {
					lacks := int(a.src(t)-1)%tc.every == 0
					if a.record.Status != events.Following || lacks != (a.record.UnionID == "") {
						t.Fatalf("event %d: %s, unionid %q", a.src(t), a.record.Status, a.record.UnionID)
					}
					if a.record.Marker == events.MarkerNoUnionID {
						marked++
						if !lacks {
							t.Errorf("event %d is marked", a.src(t))
						}
					}
				}
				c := lane.Stats().Counts()
				if marked != tc.marked || c.NoUnionID != int64(marked) {
					t.Errorf("%d records are marked, %d counted, want %d", marked, c.NoUnionID, tc.marked)
				}
				if c.Calls > tc.calls {
					t.Errorf("%d calls for %d batches, want %d at most", c.Calls, n/100, tc.calls)
				}
				t.Logf("%d calls for %d batches", c.Calls, n/100)
			}, wechattest.WithSeed(1), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
		})
	}
}

// A batch of those who lack a unionid is no better than any other: if its
// column moves, nobody may get another's. Nor may one get lost in silence, even
// if none is expected.
func TestMovedUnionIDsAmongThoseWhoLackOne(t *testing.T) {
	for _, expect := range []pipeline.Expect{pipeline.ExpectAuto, pipeline.ExpectNo} {
		t.Run(string(expect), func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 8_000 / min(scale, 4)
				for i := 0; i < n; i += 10 {
					w.without(i)
				}
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.2}, Do: wechattest.Action{ShiftUnionID: true}})
				w.publish(n, w.openid)
				cfg := lifelike()
				cfg.BatchSize, cfg.ExpectUnionID = 20, expect
				lane := w.start(cfg)
				lost := 0
				w.unionids(slices.DeleteFunc(w.answers(n), func(a answer) bool {
					if i := int(a.src(t)) - 1; i%10 != 0 && a.record.Marker == events.MarkerNoUnionID {
						lost++ // twice in a row, and then it says so
						return true
					}
					return false
				}))
				if lost > n/500+5 { // chance decides about one batch more
					t.Errorf("%d of %d have lost their unionid", lost, n)
				}
				c := lane.Stats().Counts()
				if c.Doubts["unionid_moved"] == 0 {
					t.Error("nothing moved: the test tests nothing")
				}
				t.Logf("%d calls for %d batches, doubts %v; %d lost", c.Calls, n/20, c.Doubts, lost)
			}, wechattest.WithSeed(2))
		})
	}
}
