package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// noQuota does not say what is left of the quota, so that nothing but calls for
// people fetches a token.
type noQuota struct{ pipeline.Directory }

func (noQuota) Quota(context.Context, string) (wechat.Quota, error) {
	return wechat.Quota{}, errors.New("not said")
}

// A fault of one call or a few: how many calls and tokens three full batches
// take then, one after the other, and how long. Without a fault it is three
// calls, one token, and no time at all. Where the account was on hold it is one
// more: what was handed back comes again in pieces.
func TestReactionToAFewCalls(t *testing.T) {
	const second, minute = time.Second, time.Minute
	type span struct{ least, most time.Duration }
	for name, tc := range map[string]struct {
		endpoint string
		do       wechattest.Action
		times    int
		calls    int // of data, at most
		tokens   int // fetches, exactly
		took     span
	}{
		"nothing":        {batchget, wechattest.Action{}, 0, 3, 1, span{}},
		"busy":           {batchget, wechattest.Action{Code: -1}, 3, 6, 1, span{0, 700 * time.Millisecond}},
		"gateway":        {batchget, wechattest.Action{Status: 502, HTML: true}, 3, 6, 1, span{0, 700 * time.Millisecond}},
		"reset":          {batchget, wechattest.Action{Reset: true}, 3, 6, 1, span{0, 700 * time.Millisecond}},
		"truncated":      {batchget, wechattest.Action{Truncate: 100}, 3, 6, 1, span{0, 700 * time.Millisecond}},
		"time-out":       {batchget, wechattest.Action{Hang: true}, 1, 4, 1, span{20 * second, 21 * second}},
		"two time-outs":  {batchget, wechattest.Action{Hang: true}, 2, 6, 1, span{40 * second, 41 * second}}, // the batch is halved
		"token expired":  {batchget, wechattest.Action{Code: 42001}, 1, 4, 2, span{}},
		"token replaced": {batchget, wechattest.Action{Code: 40001}, 1, 4, 2, span{}},
		"somebody else":  {batchget, wechattest.Action{Code: 40003}, 1, 12, 1, span{0, 2 * second}}, // refused once, and nobody of them again
		"too many":       {batchget, wechattest.Action{Code: 40032}, 1, 7, 1, span{}},               // in halves from then on
		"minute limit":   {batchget, wechattest.Action{Code: 45011}, 1, 4, 1, span{minute, 70 * second}},
		"429":            {batchget, wechattest.Action{Status: 429}, 1, 4, 1, span{minute, 70 * second}},
		"false alarm":    {batchget, wechattest.Action{Code: 45009}, 1, 6, 1, span{minute, 2 * minute}}, // the first probe shows it
		"permission":     {batchget, wechattest.Action{Code: 48001}, 1, 6, 1, span{minute, 2 * minute}},
		"address":        {stableToken, wechattest.Action{Code: 40164}, 1, 5, 2, span{minute, 2 * minute}},
		"secret":         {stableToken, wechattest.Action{Code: 40125}, 1, 5, 2, span{minute, 2 * minute}},
		"unknown code":   {batchget, wechattest.Action{Code: 98765}, 4, 7, 1, span{0, 1500 * time.Millisecond}},
		"login is busy":  {stableToken, wechattest.Action{Code: -1}, 3, 3, 4, span{0, 5 * second}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wechattest.AccountConfig{}, func(w *world) {
				if tc.times > 0 {
					w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: tc.endpoint}, Times: tc.times, Do: tc.do})
				}
				w.publish(300, w.openid)
				cfg := lifelike()
				cfg.Concurrency = 1
				began := time.Now()
				w.start(cfg, func(d *pipeline.Deps) { d.WeChat = noQuota{d.WeChat} })
				answers := w.answers(300)
				if got := count(answers); !maps.Equal(got, map[string]int{"following": 300}) {
					w.Errorf("answers: %v, want 300 following", got)
				}
				if _, last := stored(answers); last.Before(began.Add(tc.took.least)) || last.After(began.Add(tc.took.most)) {
					w.Errorf("it took %v, want %v to %v", last.Sub(began), tc.took.least, tc.took.most)
				}
				w.answeredOnce(300)
				stats := w.acc.Stats()
				if calls := stats.Calls[batchget]; calls > tc.calls {
					w.Errorf("%d calls, want %d at most", calls, tc.calls)
				}
				if fetches := stats.Calls[stableToken]; fetches != tc.tokens {
					w.Errorf("the token was fetched %d times, want %d", fetches, tc.tokens)
				}
			})
		})
	}
}
