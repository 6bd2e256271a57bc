package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/push"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// The simulator's server configuration; like its AppSecret no real one.
const (
	simulatedPushToken = "simulated-push-token"
	simulatedPushKey   = "simulatedEncodingAESKeyOf43LettersAndDigits"
)

// pushFlags is what the command line says of pushes.
type pushFlags struct {
	url  string
	mode string
	rate float64
}

// pushers make the accounts' pushes; none if there is nowhere to push to.
func (f pushFlags) pushers(server *wechattest.Server, appids []string) ([]*wechattest.Pusher, error) {
	if f.url == "" {
		return nil, nil
	}
	mode, err := push.ParseMode(f.mode)
	if err != nil {
		return nil, usage("--push-mode %q: want plain, compatible or safe", f.mode)
	}
	if !(f.rate > 0) || f.rate > maxDemoRate {
		return nil, usage("--push-rate %g: want more than 0 and at most %d", f.rate, maxDemoRate)
	}
	var all []*wechattest.Pusher
	for _, appid := range appids {
		p, err := server.Account(appid).NewPusher(wechattest.PushConfig{URL: f.url, Token: simulatedPushToken, AESKey: wechat.Secret(simulatedPushKey), Mode: mode})
		if err != nil {
			return nil, usage("--push %q: want a URL such as http://127.0.0.1:8080/wechat", f.url)
		}
		all = append(all, p)
	}
	return all, nil
}

// everyUnfollow: one push in so many is of somebody who leaves again.
const everyUnfollow = 10

// pushAll has new people follow, one after the other in all accounts, and every
// tenth leave again, at the rate, until ctx ends. Before that the address is
// verified, as often as it takes.
func (f pushFlags) pushAll(ctx context.Context, w io.Writer, server *wechattest.Server, s simulateFlags, pushers []*wechattest.Pusher) {
	for i, p := range pushers {
		for p.Verify(ctx) != nil {
			if !sleep(ctx, time.Second) {
				return
			}
		}
		fmt.Fprintf(w, "# %s: verified %s\n", s.appids[i], f.url)
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / f.rate))
	defer tick.Stop()
	slots := make(chan struct{}, 256) // of pushes that wait for an answer
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		which, n := i%len(pushers), i/len(pushers)
		account, p := server.Account(s.appids[which]), pushers[which]
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		waiting.Go(func() {
			defer func() { <-slots }()
			openid := account.OpenID(s.followers + n)
			_, err := p.Follow(ctx, openid, strconv.Itoa(n%1000))
			if err == nil && n%everyUnfollow == everyUnfollow-1 {
				_, err = p.Unfollow(ctx, openid)
			}
			if err != nil && ctx.Err() == nil {
				fmt.Fprintf(w, "# %s: a push is lost: %v\n", s.appids[which], err)
			}
		})
	}
}

// sleep waits, and reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
