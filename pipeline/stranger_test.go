package pipeline_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// eitherTokens are those of one account until they are those of another.
type eitherTokens struct {
	first, second wechat.TokenSource
	mended        atomic.Bool
}

func (e *eitherTokens) now() wechat.TokenSource {
	if e.mended.Load() {
		return e.second
	}
	return e.first
}

func (e *eitherTokens) Token(ctx context.Context) (wechat.Secret, error) { return e.now().Token(ctx) }
func (e *eitherTokens) Reject(token wechat.Secret)                       { e.now().Reject(token) }

const other = "wxother0000000000"

// either adds another account, and returns a client for the lane's that has
// either one's token.
func (w *world) either() (account *wechattest.Account, tokens *eitherTokens, deps func(*pipeline.Deps)) {
	w.Helper()
	account = w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: "the other's", Followers: 10})
	tokens = &eitherTokens{first: w.tokens(other, "the other's"), second: w.tokens(appid, secret)}
	client, err := wechat.New(wechat.Config{AppID: appid, BaseURL: w.api, Transport: w.transport, Tokens: tokens})
	if err != nil {
		w.Fatal(err)
	}
	return account, tokens, func(d *pipeline.Deps) { d.WeChat = client }
}

// callsTo is how often an account was asked for data.
func callsTo(account *wechattest.Account) int {
	n := 0
	for endpoint, calls := range account.Stats().Calls {
		if strings.HasPrefix(endpoint, "user/") {
			n += calls
		}
	}
	return n
}

func TestWrongAccountFromAColdStart(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas int
		canary   bool
		hint     string
		latency  wechattest.Latency
	}{
		"one replica":             {1, false, "the token is of another account", usual},
		"three replicas":          {3, false, "", usual}, // the others hear of it before they have the words
		"slowly":                  {1, false, "the token is of another account", wechattest.Constant(300 * time.Millisecond)},
		"three replicas, slowly":  {3, false, "", wechattest.Constant(300 * time.Millisecond)},
		"somebody is known":       {1, true, "known to work is refused", usual},
		"known to three replicas": {3, true, "known to work is refused", usual},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				n := 2000 / min(scale, 4)
				if name == "one replica" {
					n *= 5
				}
				account, tokens, deps := w.either()
				w.publish(n, w.openid)
				began := time.Now()
				cfg := lifelike()
				cfg.Concurrency = 96
				if tc.canary {
					cfg.Canary = w.acc.OpenID(n + 1)
				}
				kv := w.bucket()
				lanes := make([]*running, tc.replicas)
				for i := range lanes {
					lanes[i] = w.start(cfg, w.board(kv), deps)
				}
				w.tick = 10 * time.Millisecond
				for _, lane := range lanes {
					w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("held after %v", took)
				}
				if h := lanes[0].State().Hold; h.Reason != pipeline.HoldWrongAccount || !strings.Contains(h.Hint, tc.hint) {
					t.Errorf("hold: %+v", h)
				}
				for _, lane := range lanes {
					w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
				}
				calls := callsTo(account)
				if calls >= 30 {
					t.Errorf("%d calls before the hold", calls)
				}
				t.Logf("%d calls, held after %v", calls, time.Since(began))

				time.Sleep(10 * time.Minute)
				if n := w.held("WX_DEAD"); n != 0 {
					t.Errorf("%d dead letters", n)
				}
				if s := lanes[0].State(); s.Phase != pipeline.Held || s.Hold.Probes == 0 {
					t.Errorf("after ten minutes: %+v", s)
				}
				if probes := callsTo(account) - calls; probes > 5*6 {
					t.Errorf("%d calls by probes in ten minutes", probes)
				}
				tokens.mended.Store(true)
				if got := count(w.answers(n)); got["following"] != n {
					t.Errorf("answers: %v", got)
				}
			}, wechattest.WithSeed(1), wechattest.WithLatency(tc.latency))
		})
	}
}

// usual is how long a call takes.
var usual = wechattest.LogNormal(60*time.Millisecond, 152*time.Millisecond)

// A first event alone cannot tell whose fault its refusal is, and no other comes
// that could: in the end somebody has to hear of it.
func TestLoneEventsOfAWrongAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas, events int
		most             int // calls in an hour and a half: three for an event, and those of a probe every 15 minutes
	}{
		"one":                   {1, 1, 5 + 10},
		"two on three replicas": {3, 2, 10 + 2*10},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				account, tokens, deps := w.either()
				kv := w.bucket()
				lanes := make([]*running, tc.replicas)
				for i := range lanes {
					lanes[i] = w.start(lifelike(), w.board(kv), deps)
				}
				for range tc.events {
					w.publish(1, func(int) []byte { return w.openid(w.held("WX_EVENTS")) })
					time.Sleep(10 * time.Second)
				}
				time.Sleep(5 * time.Minute)
				for _, lane := range lanes {
					w.wantHold(lane, pipeline.HoldWrongAccount, 40003)
				}
				time.Sleep(90 * time.Minute)
				if calls := callsTo(account); calls > tc.most {
					t.Errorf("%d calls, want %d at most", calls, tc.most)
				} else {
					t.Logf("%d calls", calls)
				}
				tokens.mended.Store(true)
				if got := count(w.answers(tc.events)); got["following"] != tc.events {
					t.Errorf("answers: %v", got)
				}
			}, wechattest.WithSeed(1), wechattest.WithLatency(usual))
		})
	}
}

// A first event that is bad holds an account that works; the next one ends that.
func TestHoldOfALoneBadOpenID(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		lane := w.start(lifelike(), w.board(w.bucket()))
		w.publish(1, func(int) []byte { return []byte(w.acc.BadOpenID(1)) })
		time.Sleep(5 * time.Minute)
		w.wantHold(lane, pipeline.HoldWrongAccount, 40003)
		w.publish(1, w.openid)
		began := time.Now()
		if got := count(w.answers(2)); got["following"] != 1 || got["rejected"] != 1 {
			t.Errorf("answers: %v", got)
		}
		if took := time.Since(began); took > 20*time.Minute {
			t.Errorf("held for %v after somebody came who works", took)
		}
		w.wantHold(lane, "", 0)
	})
}

// A token of another account may also come while the account works, and then
// every call in flight is refused. One more for each of them would be a lot.
func TestWrongAccountInMidRun(t *testing.T) {
	for _, concurrency := range []int{4, 96} {
		t.Run(strconv.Itoa(concurrency), func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				const n = 6000
				account, tokens, deps := w.either()
				tokens.mended.Store(true)
				cfg := lifelike()
				cfg.Concurrency, cfg.BatchSize = concurrency, 20
				lane := w.start(cfg, w.board(w.bucket()), deps)
				w.publish(n, w.openid)
				w.tick = 10 * time.Millisecond
				w.until("the account works", func() bool { return w.held("WX_PROFILES") > n/10 })
				tokens.mended.Store(false)
				w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
				w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
				if calls := callsTo(account); calls >= concurrency+30 {
					t.Errorf("%d calls before the hold", calls)
				} else {
					t.Logf("%d calls before the hold", calls)
				}
				if h := lane.State().Hold; h.Reason != pipeline.HoldWrongAccount {
					t.Errorf("hold: %+v", h)
				}
				time.Sleep(5 * time.Minute)
				tokens.mended.Store(true)
				if got := count(w.answers(n)); got["following"] != n {
					t.Errorf("answers: %v", got)
				}
			}, wechattest.WithSeed(1), wechattest.WithLatency(usual))
		})
	}
}

// A list with a bad openid at its head must not hold an account that works.
func TestBadOpenIDsFromAColdStart(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		w.publish(1000, func(i int) []byte {
			if i%50 == 0 {
				return []byte(w.acc.BadOpenID(i))
			}
			return w.openid(i)
		})
		cfg := lifelike()
		cfg.Recheck = 0
		lane := w.start(cfg)
		if got := count(w.answers(1000)); got["following"] != 980 || got["rejected"] != 20 {
			t.Errorf("answers: %v", got)
		}
		if h := lane.State().Hold; h != nil {
			t.Errorf("hold: %+v", h)
		}
	}, wechattest.WithSeed(1))
}
