package pipeline_test

import (
	"maps"
	"testing"

	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// TestManyBadOpenIDs looks up people of whom a share is refused, and compares
// the calls with the bits that it takes to tell who: a refused call names nobody.
func TestManyBadOpenIDs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		p, malformed float64
		most         float64 // calls for 1,000 events
	}{
		"half a percent, and as many malformed": {p: 0.005, malformed: 0.005, most: 55},
		"one in twenty":                         {p: 0.05, most: 345},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 10_000 / min(scale, 4)
			w := newWorld(t, wechattest.AccountConfig{})
			refused, malformed := spread(n, tc.p), spread(n, tc.malformed)
			bad := 0
			w.publish(n, func(i int) []byte {
				switch {
				case refused(i):
					bad++
					return []byte(w.acc.BadOpenID(i))
				case malformed(i + 1):
					return []byte("not an openid")
				}
				return w.openid(i)
			})
			lane := w.start(config())
			got := count(w.answers(n))
			if got["rejected"] != bad || got["following"]+got["invalid_openid"]+bad != n {
				t.Errorf("answers: %v, want %d rejected", got, bad)
			}
			if calls := float64(lane.Stats().Counts().Calls) / n * 1000; calls > tc.most && scale == 1 { // chance decides about a few
				t.Errorf("%.1f calls for 1,000 events, want %.0f at most", calls, tc.most)
			} else {
				t.Logf("%.1f calls for 1,000 events, of whom %d were refused", calls, bad)
			}
		})
	}
}

// TestUnknownOnesJoinTheNextBatch: once a half is refused nothing is known of
// the other, and to ask it apart would cost a call each time.
func TestUnknownOnesJoinTheNextBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.publish(200, func(i int) []byte {
		if i == 0 {
			return []byte(w.acc.BadOpenID(i))
		}
		return w.openid(i)
	})
	cfg := config()
	cfg.Fixed, cfg.Concurrency = true, 1
	lane := w.start(cfg)
	if got := count(w.answers(200)); !maps.Equal(got, map[string]int{"following": 199, "rejected": 1}) {
		t.Errorf("answers: %v", got)
	}
	// The refused call, six to be down to one (50, 25, 12, 6, 3, 1), one that
	// proves the account, since all of these were refused, one to refuse the
	// person again now that it works, and two for the 199.
	if calls := lane.Stats().Counts().Calls; calls > 11 {
		t.Errorf("%d calls, want 11 at most", calls)
	}
}
