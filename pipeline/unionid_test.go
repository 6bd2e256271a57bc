package pipeline_test

import (
	"strings"
	"testing"

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
		{"all should have one", pipeline.ExpectYes, 3, true, 4},
		{"none needs one", pipeline.ExpectNo, 1, false, 1},
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
			if cfg.Output, err = events.ParseTemplate("wx.profiles.{appid}.{unionid}", "appid", "unionid"); err != nil {
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
