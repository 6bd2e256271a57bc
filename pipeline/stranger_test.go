package pipeline_test

import (
	"context"
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

func TestWrongAccountFromAColdStart(t *testing.T) {
	inBubble(t, wechattest.AccountConfig{}, func(w *world) {
		const n = 10_000
		const other = "wxother0000000000"
		account := w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: "the other's", Followers: 10})
		tokens := &eitherTokens{first: w.tokens(other, "the other's"), second: w.tokens(appid, secret)}
		client, err := wechat.New(wechat.Config{AppID: appid, BaseURL: w.api, Transport: w.transport, Tokens: tokens})
		if err != nil {
			t.Fatal(err)
		}
		w.publish(n, w.openid)
		began := time.Now()
		cfg := lifelike()
		cfg.Concurrency = 96
		lane := w.start(cfg, w.board(w.bucket()), func(d *pipeline.Deps) { d.WeChat = client })
		w.tick = 10 * time.Millisecond
		w.until("it is on hold", func() bool { return lane.State().Phase == pipeline.Held })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("held after %v", took)
		}
		if h := lane.State().Hold; h.Reason != pipeline.HoldWrongAccount {
			t.Errorf("hold: %+v", h)
		}
		w.until("nothing is in hand", func() bool { return lane.Stats().Counts().InHand == 0 })
		calls := account.Stats().Calls[batchget]
		if calls >= 30 {
			t.Errorf("%d calls before the hold", calls)
		}
		t.Logf("%d calls, held after %v", calls, time.Since(began))

		time.Sleep(10 * time.Minute)
		if n := w.held("WX_DEAD"); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		if s := lane.State(); s.Phase != pipeline.Held || s.Hold.Probes == 0 {
			t.Errorf("after ten minutes: %+v", s)
		}
		if probes := account.Stats().Calls[batchget] - calls; probes > 5*5 {
			t.Errorf("%d calls by probes in ten minutes", probes)
		}
		tokens.mended.Store(true)
		if got := count(w.answers(n)); got["following"] != n {
			t.Errorf("answers: %v", got)
		}
	}, wechattest.WithSeed(1), wechattest.WithLatency(wechattest.LogNormal(60*time.Millisecond, 152*time.Millisecond)))
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
