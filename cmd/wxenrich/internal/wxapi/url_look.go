package wxapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// During a hold the token server is asked whether it has another token: a wrong
// one, such as another account's, is not refused, and would serve until its end.
const (
	lookEvery  = 20 * time.Second // at first
	lookSeldom = time.Minute      // in a hold that lasts longer than lookLong
	lookLong   = 10 * time.Minute

	// lookPause without a question means that a hold has ended.
	lookPause = 2 * time.Minute
)

// lookingTokens are a token server's. They are asked for beside whoever wants to
// know, who may not wait.
type lookingTokens struct {
	*wechat.Tokens

	alive context.Context // ends with Close
	end   context.CancelFunc
	looks sync.WaitGroup

	mu      sync.Mutex
	began   time.Time // the hold, as far as it is known here
	asked   time.Time // when somebody wanted to know last
	looked  time.Time // when the server was asked last
	looking bool
	renewed bool // not yet reported
}

func newLookingTokens(tokens *wechat.Tokens) *lookingTokens {
	t := &lookingTokens{Tokens: tokens}
	t.alive, t.end = context.WithCancel(context.Background())
	return t
}

// Renewed reports whether an earlier question has brought another token, and
// asks again if it is time. It does not wait.
func (t *lookingTokens) Renewed() bool {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.asked) > lookPause {
		t.began, t.renewed = now, false
	}
	t.asked = now
	every := lookEvery
	if now.Sub(t.began) > lookLong {
		every = lookSeldom
	}
	if !t.looking && now.Sub(t.looked) >= every && t.alive.Err() == nil {
		t.looking, t.looked = true, now
		t.looks.Go(t.look)
	}
	renewed := t.renewed
	t.renewed = false
	return renewed
}

// look asks the server. An error is met again, and told, by the next probe.
func (t *lookingTokens) look() {
	renewed, err := t.Renew(t.alive)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := errors.AsType[*wechat.Error](err); ok {
		t.looked = t.looked.Add(e.After) // the server says how long
	}
	t.looking = false
	t.renewed = t.renewed || renewed
}

// Close ends a question that is under way, and waits for it.
func (t *lookingTokens) Close() {
	t.mu.Lock()
	t.end()
	t.mu.Unlock()
	t.looks.Wait()
}
