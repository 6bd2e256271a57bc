package pipeline_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func remember(bytes int64) func(*pipeline.Deps) {
	return func(d *pipeline.Deps) { d.Recent = pipeline.NewRecent(bytes) }
}

func TestBacklogAsksForNobodyTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{}, wechattest.WithLatency(wechattest.Constant(5*time.Millisecond)))
	const n, people = 60_000 / scale, 6_000 / scale
	rng := rand.New(rand.NewPCG(1, 1))
	w.publish(n, func(int) []byte { return w.openid(rng.IntN(people)) })
	lane := w.start(config(), remember(16<<20))
	answers := w.answers(n)
	w.unionids(answers)
	c := lane.Stats().Counts()
	t.Logf("%d calls, %d openids", c.Calls, c.OpenIDs)
	if most := int64(people/100 + people*5/10_000 + 1); c.Calls > most { // 5 %, and the last one
		t.Errorf("%d calls for %d people, want %d at most", c.Calls, people, most)
	}
	bySource := make(map[string]int)
	for _, a := range answers {
		bySource[a.record.Source]++
	}
	if bySource[events.FromRecent] != int(c.Saved) || bySource[events.FromRecent]+bySource[events.FromBatch] != n {
		t.Errorf("sources: %v, saved %d", bySource, c.Saved)
	}
}

// Whatever the order in which people come, and however slow WeChat is, each is
// asked for once, in calls that are full.
func TestBacklogOfAnyOrder(t *testing.T) {
	const people = 600 / min(scale, 3)
	for name, tc := range map[string]struct {
		each int // events of a person
		who  func(i int) int
		took time.Duration // a call
	}{
		"ten in a row":         {10, func(i int) int { return i / 10 }, 60 * time.Millisecond},
		"ten in a row, slowly": {10, func(i int) int { return i / 10 }, 3 * time.Second},
		"in rounds":            {4, func(i int) int { return i % people }, 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				n := people * tc.each
				w.publish(n, func(i int) []byte { return w.openid(tc.who(i)) })
				lane := w.start(lifelike(), remember(16<<20))
				w.unionids(w.answers(n))
				if c := lane.Stats().Counts(); c.Calls > people/100*105/100+1 { // the first one and the last may not be full
					t.Errorf("%d calls for %d people", c.Calls, people)
				}
			}, wechattest.WithLatency(wechattest.Constant(tc.took)))
		})
	}
}

// TestRecentIsNeverOlderThanItsEvent changes a person between two events: the
// second must not be answered with what was looked up before it.
func TestRecentIsNeverOlderThanItsEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	cfg.Recheck = 0
	w.start(cfg, remember(1<<20))
	for i, want := range []events.Status{events.Following, events.NotFollowing, events.Following} {
		if want == events.Following {
			w.acc.Follow(w.acc.OpenID(1))
		} else {
			w.acc.Unfollow(w.acc.OpenID(1))
		}
		w.publish(1, func(int) []byte { return w.openid(1) })
		for _, a := range w.answers(i + 1) {
			if a.src(t) == uint64(i+1) && a.record.Status != want {
				t.Errorf("event %d: %s, want %s", i+1, a.record.Status, want)
			}
		}
	}
}

func TestRecentMaxAgeAllowsOlderAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	cfg.RecentMaxAge = time.Minute
	lane := w.start(cfg, remember(1<<20))
	for i := range 5 {
		w.publish(1, func(int) []byte { return w.openid(1) })
		w.answers(i + 1)
	}
	if c := lane.Stats().Counts(); c.Calls != 1 || c.Saved != 4 {
		t.Errorf("%d calls, %d saved, want 1 and 4", c.Calls, c.Saved)
	}
}

func TestRecentForgetsWhenTheStreamIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	cfg := config()
	cfg.Recheck = 0
	lane := w.start(cfg, remember(1<<20))
	w.publish(50, w.openid)
	w.answers(50)
	w.settled(cfg.Durable)
	if err := w.js.DeleteStream(t.Context(), "WX_EVENTS"); err != nil {
		t.Fatal(err)
	}
	w.acc.Unfollow(w.acc.OpenID(3))
	if _, _, err := events.EnsureStream(t.Context(), w.js, events.StreamSpec{Name: "WX_EVENTS", Subjects: []string{"wx.events.>"}}, events.Create); err != nil {
		t.Fatal(err)
	}
	w.publish(1, func(int) []byte { return w.openid(3) }) // its sequence was another event's before
	w.stored("WX_PROFILES", 51)
	if c := lane.Stats().Counts(); c.Saved != 0 {
		t.Errorf("%d events answered by look-ups for another stream's", c.Saved)
	}
}
