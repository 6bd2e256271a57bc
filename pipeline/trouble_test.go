package pipeline_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

const batchget = "user/info/batchget"

func TestTransientFaultsAreWaitedOut(t *testing.T) {
	for name, do := range map[string]wechattest.Action{
		"busy":      {Code: -1},
		"502":       {Status: 502, HTML: true},
		"561":       {Status: 561},
		"reset":     {Reset: true},
		"truncated": {Truncate: 700},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) { // 561 is waited out for minutes
				w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget, Probability: 0.4}, Do: do})
				w.publish(1000, w.openid)
				cfg := lifelike()
				cfg.BatchSize = 20
				lane := w.start(cfg)
				if got := count(w.answers(1000)); !maps.Equal(got, map[string]int{"following": 1000}) {
					w.Errorf("answers: %v", got)
				}
				if c := lane.Stats().Counts(); c.Retries == 0 {
					w.Error("nothing was retried: the test tests nothing")
				}
			}, wechattest.WithSeed(1))
		})
	}
}

func TestTokenKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.start(config())
	w.publish(100, w.openid)
	w.answers(100)
	w.acc.KillTokens()
	w.publish(100, w.openid)
	w.answers(200)
	if n := w.acc.Stats().TokensIssued; n != 2 {
		t.Errorf("%d tokens issued, want 2", n)
	}
}

func TestWrongSecretHoldsItsAccountOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	const other = "wxother0000000000"
	w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: "something else", Followers: 1000})
	w.publishTo("wx.events."+other+".subscribe", 500, w.openid)
	bad := pipeline.DefaultConfig(other)
	bad.Start, _ = pipeline.ParseStart("all")
	held := w.start(bad) // with the first account's secret
	w.start(config())
	w.publish(500, w.openid)
	if got := count(w.answers(500)); !maps.Equal(got, map[string]int{"following": 500}) {
		t.Errorf("answers: %v", got)
	}
	w.until("the other account is on hold", func() bool { return held.State().Phase == pipeline.Held })
	s := held.State()
	if s.Ready() || s.Hold.Reason != pipeline.HoldOperator || s.Hold.Hint == "" || s.Hold.Code == 0 {
		t.Errorf("state: %+v, hold: %+v", s, s.Hold)
	}
	w.until("nothing is in hand", func() bool { return held.Stats().Counts().InHand == 0 })
	if n := w.held("WX_DEAD"); n != 0 {
		t.Errorf("%d dead letters for a wrong secret", n)
	}
}

func TestWrongAccountsTokenMakesNoDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	const other = "wxother0000000000"
	another := w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: secret, Followers: 1000})
	w.publish(2000, func(i int) []byte { return []byte(another.OpenID(i)) }) // all refused
	lane := w.start(config())
	w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
	if h := lane.State().Hold; h.Reason != pipeline.HoldWrongAccount {
		t.Errorf("hold: %+v", h)
	}
	w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
	if n := w.held("WX_DEAD"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if n := lane.Stats().Counts().Calls; n >= 30 {
		t.Errorf("%d calls before the hold, want fewer than 30", n)
	}
}

func TestManyRefusedOpenIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	const n = 3000
	bad := func(i int) bool { return i%61 == 0 }
	w.publish(n, func(i int) []byte {
		if bad(i) {
			return []byte(w.acc.BadOpenID(i))
		}
		return w.openid(i)
	})
	cfg := config()
	cfg.Fixed = true
	w.start(cfg)
	want := map[string]int{"rejected": 50, "following": n - 50}
	if diff := cmp.Diff(want, count(w.answers(n))); diff != "" {
		t.Error(diff)
	}
	w.settled(cfg.Durable)
}

func TestRefusedOpenIDIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	lane := w.start(config())
	w.publish(10, func(i int) []byte {
		if i == 4 {
			return []byte(w.acc.BadOpenID(1))
		}
		return w.openid(i)
	})
	w.answers(10)
	before := lane.Stats().Counts().Calls
	w.publish(50, func(int) []byte { return []byte(w.acc.BadOpenID(1)) })
	if got := count(w.answers(60)); got["rejected"] != 51 {
		t.Errorf("answers: %v", got)
	}
	if calls := lane.Stats().Counts().Calls - before; calls != 0 {
		t.Errorf("%d calls for an openid that is known to be refused", calls)
	}
}

func TestFreshFollowerIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{Followers: 10, Quirks: wechattest.Quirks{VisibleAfter: 300 * time.Millisecond}})
	cfg := config()
	cfg.Recheck = 500 * time.Millisecond
	lane := w.start(cfg)
	w.until("the lane runs", func() bool { return lane.State().Phase == pipeline.Running })
	w.acc.Follow(w.acc.OpenID(20))
	w.publish(1, func(int) []byte { return w.openid(20) })
	if got := count(w.answers(1)); !maps.Equal(got, map[string]int{"following": 1}) {
		t.Errorf("answers: %v", got)
	}
}

func TestNotFollowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.acc.Unfollow(w.acc.OpenID(3))
	w.publish(10, w.openid)
	cfg := config()
	cfg.Recheck = 20 * time.Millisecond
	w.start(cfg)
	answers := w.answers(10)
	if got := count(answers); !maps.Equal(got, map[string]int{"following": 9, "not_following": 1}) {
		t.Errorf("answers: %v", got)
	}
}

func TestOutputThatRefusesKeepsTheAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	stream, err := w.js.Stream(t.Context(), "WX_PROFILES")
	if err != nil {
		t.Fatal(err)
	}
	open := stream.CachedInfo().Config
	full := open
	full.MaxMsgs, full.Discard = 100, jetstream.DiscardNew
	if _, err := w.js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	w.publish(1000, w.openid)
	lane := w.start(config())
	w.until("the output refuses", func() bool { return lane.State().Output != "" })
	if lane.State().Ready() {
		t.Error("ready although records cannot be stored")
	}
	if _, err := w.js.UpdateStream(context.Background(), open); err != nil {
		t.Fatal(err)
	}
	w.answers(1000)
	w.until("the output works", func() bool { return lane.State().Ready() })
	if n := w.asked(); n > 15 {
		t.Errorf("%d API calls for 1000 openids: look-ups were repeated because the output was down", n)
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{}, wechattest.WithLatency(wechattest.Constant(5*time.Millisecond)))
	w.publish(3000, w.openid)
	w.start(config())
	w.stored("WX_PROFILES", 200)
	w.nats.Restart()
	w.js = w.nats.JetStream()
	w.answers(3000)
}

func TestOnePersonWhoFailsWithACodeThatNamesNobody(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"unknown": 98765, "busy": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechattest.AccountConfig{})
			w.sim.Inject(wechattest.Fault{Match: wechattest.Match{OpenID: w.acc.OpenID(37)}, Do: wechattest.Action{Code: code}})
			cfg := config()
			cfg.Fixed = true
			w.publish(100, w.openid)
			lane := w.start(cfg)
			stop := w.trickle()
			defer stop()
			w.until("the person is given up", func() bool { return w.held("WX_DEAD") == 1 })
			w.stored("WX_PROFILES", 99)
			if s := lane.State(); s.Phase != pipeline.Running {
				t.Errorf("state: %+v", s)
			}
			for _, a := range w.answers(100) {
				if a.reason != "" && (a.reason != events.Exhausted || a.dead.Code != code) {
					t.Errorf("dead letter: %s %d", a.reason, a.dead.Code)
				}
			}
		})
	}
}

func TestUnknownCodeForEverybodyHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Do: wechattest.Action{Code: 98765}})
	w.publish(2000, w.openid)
	lane := w.start(config())
	w.until("the account is on hold", func() bool { return lane.State().Phase == pipeline.Held })
	if h := lane.State().Hold; h.Reason != pipeline.HoldUnknown || h.Code != 98765 {
		t.Errorf("hold: %+v", h)
	}
	w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
	if n := w.held("WX_DEAD"); n != 0 {
		t.Errorf("%d dead letters for a code that is the account's", n)
	}
}
