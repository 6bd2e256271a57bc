package pipeline

import (
	"sync"
	"time"
)

// proof remembers when the account last worked. A refusal (40003) means a bad
// openid only if some other call is answered with the same token; a token of
// the wrong account refuses everybody.
type proof struct {
	mu     sync.Mutex
	began  time.Time // when the latest answered call began
	openid string    // one that such a call was about

	failures int // groups that failed with an unknown code, none answered since
}

func (p *proof) answered(began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
	if began.After(p.began) {
		p.began = began
	}
}

// strange counts a group that failed with an unknown code, and returns how
// many have in a row.
func (p *proof) strange() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures++
	return p.failures
}

// good notes an openid that the account knows.
func (p *proof) good(openid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.openid = openid
}

// since reports whether a call was answered that began after t.
func (p *proof) since(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.began.After(t)
}

// known is an openid that worked before, or "".
func (p *proof) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.openid
}
