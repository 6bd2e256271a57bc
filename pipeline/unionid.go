package pipeline

import (
	"sync/atomic"

	"github.com/wxenrich/wxenrich/pipeline/internal/match"
)

// Expect says whether an account's followers have unionids, as they do when it
// is bound to an Open Platform account (api_userinfo).
type Expect string

// What may be expected.
const (
	ExpectAuto Expect = "auto"  // they have if one of them has
	ExpectYes  Expect = "true"  // from the start
	ExpectNo   Expect = "false" // nobody is asked for again because of it; where others have one, the record says so
)

// unboundAfter is how many followers, each asked for twice, have none before
// it is taken for the account: it is not bound any more.
const unboundAfter = 20

// unionIDs learns whether followers have one. It is safe for concurrent use.
type unionIDs struct {
	expect Expect
	seen   atomic.Bool
	lacked atomic.Int32 // followers in a row without, asked for twice
}

// expected is what the next answers are weighed by.
func (u *unionIDs) expected() match.Expect {
	switch {
	case u.expect == ExpectNo:
		return match.Never
	case u.expect == ExpectYes, u.seen.Load():
		return match.Always
	default:
		return match.Perhaps
	}
}

// missed reports whether a record says that its person lacks one: others have
// one, or should have. Whoever expects none is told that too, since it may as
// well be one that has gone lost among WeChat's rows.
func (u *unionIDs) missed() bool {
	return u.expected() == match.Always || u.expect == ExpectNo && u.seen.Load()
}

// weighed is what to ask again by. Once enough followers in a row had none,
// whatever was expected, a batch in which nobody has one is believed.
func (u *unionIDs) weighed() match.Expect {
	e := u.expected()
	if e == match.Always && u.lacked.Load() >= unboundAfter {
		return match.Perhaps
	}
	return e
}

// had notes a follower with a unionid.
func (u *unionIDs) had() {
	u.lacked.Store(0)
	if !u.seen.Load() {
		u.seen.Store(true)
	}
}

// lacks notes n followers who have none where nobody else has either, and were
// asked for again unless none is expected.
func (u *unionIDs) lacks(n int) {
	if u.lacked.Load() < unboundAfter && u.lacked.Add(int32(n)) >= unboundAfter {
		u.seen.Store(false)
	}
}
