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

	calls  uint64 // that have begun
	latest uint64 // of those, the latest that was answered: the first is 1

	tally tally

	failures int // groups that failed with an unknown code, none answered since
}

// begin counts a call and returns its number.
func (p *proof) begin() (call uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	return p.calls
}

// answered notes that a call was, and when it began.
func (p *proof) answered(call uint64, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = max(p.latest, call)
	p.tally.answered++
	p.failures = 0
	if began.After(p.began) {
		p.began = began
	}
}

// failed notes that a call failed in a way that names nobody.
func (p *proof) failed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.failed++
}

// so is how calls have fared so far.
func (p *proof) so() tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally
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

// after reports whether a call was answered that began after so many others.
func (p *proof) after(calls uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest > calls
}

// numbers are how many calls have begun, and which of them is the latest that
// was answered so far.
func (p *proof) numbers() (calls, latest uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.latest
}

// known is an openid that worked before, or "".
func (p *proof) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.openid
}
