package pipeline_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// swapping gives two people each other's unionid in the next batch, which
// nothing in the batch itself shows.
type swapping struct {
	pipeline.Directory
	next atomic.Bool
}

func (s *swapping) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	users, err := s.Directory.BatchGet(ctx, qs)
	if err == nil && len(users) > 1 && s.next.CompareAndSwap(true, false) {
		users[0].UnionID, users[1].UnionID = users[1].UnionID, users[0].UnionID
	}
	return users, err
}

func TestUnionIDsOfKnownPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechattest.AccountConfig{})
	wechat := &swapping{Directory: w.client(appid, secret)}
	cfg := config()
	cfg.Fixed = true
	lane := w.start(cfg, func(d *pipeline.Deps) { d.WeChat = wechat })
	const n = 60
	round := 0
	again := func(doubts int64) {
		t.Helper()
		round++
		w.publish(n, w.openid)
		w.unionids(w.answers(round * n)[(round-1)*n:])
		if got := lane.Stats().Counts().Doubts["unionid_changed"]; got != doubts {
			t.Errorf("round %d: %d batches with a unionid that changed, want %d", round, got, doubts)
		}
	}
	again(0)
	wechat.next.Store(true)
	again(1) // is not believed
	again(1)
	row, _ := w.acc.User(w.acc.OpenID(7))
	w.acc.SetRow(w.acc.OpenID(7), strings.Replace(string(row), `"unionid":"`, `"unionid":"other`, 1))
	again(2) // is believed when two answers agree
	again(2)
	if c := lane.Stats().Counts(); c.Calls > int64(round)+3 {
		t.Errorf("%d calls for %d rounds", c.Calls, round)
	}
}
