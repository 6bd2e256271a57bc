package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// flipping asks with the wrong account's token from one call to another.
type flipping struct {
	pipeline.Directory
	wrong      pipeline.Directory
	calls      atomic.Int64
	from, upTo atomic.Int64
}

func (f *flipping) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	if n := f.calls.Add(1); n > f.from.Load() && n <= f.upTo.Load() {
		return f.wrong.BatchGet(ctx, qs)
	}
	return f.Directory.BatchGet(ctx, qs)
}

// A wrong token refuses everybody, so when one appears, or is set right, in the
// middle of finding out who was refused, it must convict nobody.
func TestTokenFlipsWhileSomebodyIsSought(t *testing.T) {
	const n, bad = 1000, 3
	const forever = 1 << 40
	const calls = 45
	step, first := int64(4*scale), int64(0) // they share the calls between them
	for _, warm := range []bool{false, true} {
		for _, wrongFirst := range []bool{false, true} {
			first++
			for k := first; k <= calls; k += step {
				t.Run(fmt.Sprintf("warm %t, wrong first %t, after %d calls", warm, wrongFirst, k), func(t *testing.T) {
					inBubble(t, wechattest.AccountConfig{}, func(w *world) {
						w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: secret, Followers: 10})
						f := &flipping{Directory: w.client(appid, secret), wrong: w.client(other, secret)}
						deps := func(d *pipeline.Deps) { d.WeChat = f }
						sent := n
						if warm {
							w.start(lifelike(), deps)
							w.publish(100, func(i int) []byte { return w.openid(n + i) })
							sent += 100
							time.Sleep(time.Minute)
						}
						if k0 := f.calls.Load(); wrongFirst {
							f.from.Store(k0)
							f.upTo.Store(k0 + k)
						} else {
							f.from.Store(k0 + k)
							f.upTo.Store(forever)
						}
						w.publish(n, func(i int) []byte {
							if i%400 == 150 {
								return []byte(w.acc.BadOpenID(i))
							}
							return w.openid(i)
						})
						if !warm {
							w.start(lifelike(), deps)
						}
						time.Sleep(time.Minute)
						if !wrongFirst {
							f.upTo.Store(0) // mended
						}
						if got := count(w.answers(sent)); got["rejected"] != bad || got["following"] != sent-bad {
							w.Errorf("answers: %v, want %d rejected", got, bad)
						}
					}, wechattest.WithSeed(1), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
				})
			}
		}
	}
}

// TestTokenFlipsAgainAndAgain: a token that comes and goes between the calls
// about one person. Whoever was refused with it must be asked again.
func TestTokenFlipsAgainAndAgain(t *testing.T) {
	const n, bad = 1000, 3
	for seed := range uint64(24 / min(scale, 8)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				w.sim.AddAccount(wechattest.AccountConfig{AppID: other, Secret: secret, Followers: 10})
				f := &fickle{Directory: w.client(appid, secret), wrong: w.client(other, secret), chance: rand.New(rand.NewPCG(seed, 1))}
				f.fickle.Store(true)
				w.publish(n, func(i int) []byte {
					if i%400 == 150 {
						return []byte(w.acc.BadOpenID(i))
					}
					return w.openid(i)
				})
				cfg := lifelike()
				cfg.Concurrency = 1 + int(seed)%4
				w.start(cfg, func(d *pipeline.Deps) { d.WeChat = f })
				time.Sleep(2 * time.Minute)
				f.fickle.Store(false)
				if got := count(w.answers(n)); got["rejected"] != bad || got["following"] != n-bad {
					w.Errorf("answers: %v, want %d rejected", got, bad)
				}
			}, wechattest.WithSeed(seed), wechattest.WithLatency(wechattest.Constant(60*time.Millisecond)))
		})
	}
}

// fickle asks with the wrong account's token every now and then.
type fickle struct {
	pipeline.Directory
	wrong  pipeline.Directory
	fickle atomic.Bool
	mu     sync.Mutex
	chance *rand.Rand
}

func (f *fickle) BatchGet(ctx context.Context, qs []wechat.Query) ([]wechat.User, error) {
	f.mu.Lock()
	wrong := f.fickle.Load() && f.chance.IntN(3) == 0
	f.mu.Unlock()
	if wrong {
		return f.wrong.BatchGet(ctx, qs)
	}
	return f.Directory.BatchGet(ctx, qs)
}
