package pipeline

import (
	"slices"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
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

	tokens   []wechat.TokenID // with which somebody was answered, the latest last
	refusals []uint64         // calls that were refused, none answered that began later
	lost     error            // how somebody who is known to work was refused, nobody answered since

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

// answered notes that a call was, when it began, and with which token.
func (p *proof) answered(call uint64, began time.Time, token wechat.TokenID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = max(p.latest, call)
	p.tally.answered++
	p.failures, p.lost = 0, nil
	p.refusals = slices.DeleteFunc(p.refusals, func(refused uint64) bool { return refused <= p.latest })
	if began.After(p.began) {
		p.began = began
	}
	if n := len(p.tokens); n > 0 && p.tokens[n-1] == token {
		return
	}
	p.tokens = slices.DeleteFunc(p.tokens, func(t wechat.TokenID) bool { return t == token })
	if len(p.tokens) == tokensKept {
		p.tokens = slices.Delete(p.tokens, 0, 1)
	}
	p.tokens = append(p.tokens, token)
}

// tokensKept is how many tokens are remembered; two are in use at most.
const tokensKept = 8

// worked reports whether somebody was answered with a token.
func (p *proof) worked(token wechat.TokenID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.tokens, token)
}

// refused notes that a call was. One that began before the latest answered one
// says nothing of the account as it is now.
func (p *proof) refused(call uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if call > p.latest {
		p.refusals = append(p.refusals, call)
	}
}

// lose notes that the account does not work any more, or never did.
func (p *proof) lose(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = err
}

// anew forgets what was noted of refusals: something may have been mended.
func (p *proof) anew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals, p.lost = nil, nil
}

// standing is how the account fares: the latest call that was answered, how
// many later ones have been refused, and whether it is known not to work.
func (p *proof) standing() (latest uint64, refusals int, lost error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest, len(p.refusals), p.lost
}

// burst is how many calls may be refused in a row, of all that are in flight,
// before somebody who is known to work is asked for. A token of the wrong
// account refuses every call. Where bad openids make every second call fail,
// which is as many as there can be of calls that fit, one run of so many in
// sixty is chance, and costs one call.
const burst = 6

// suspicious reports whether so many calls were refused that the account may not
// work any more, and which was the latest that was answered.
func (p *proof) suspicious() (latest uint64, many bool) {
	latest, refusals, _ := p.standing()
	return latest, refusals >= burst
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
