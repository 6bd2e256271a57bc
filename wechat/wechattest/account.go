package wechattest

import (
	"slices"
	"sync"
	"time"
)

// AccountConfig describes an Official Account.
type AccountConfig struct {
	AppID  string
	Secret string

	Followers  int           // people 0 to Followers-1 follow from the start
	Unbound    bool          // not bound to an Open Platform account: no unionids
	Unverified bool          // answers 48001 to every data call
	Shape      Shape         // of the rows
	Absence    Absence       // of the rows of those who do not follow
	TokenLife  time.Duration // default 7200 s
	Whitelist  []string      // addresses that may fetch tokens; empty for all
	Limits     Limits
	Quirks     Quirks
}

// Quirks are the answers to what nobody outside WeChat knows. The zero value is
// the best guess.
type Quirks struct {
	Unknown        Unknown       // a well-formed openid of nobody
	Duplicates     Duplicates    // one openid twice in a request
	MaxBatch       int           // more openids are answered 40032; default 100, some report 99 or 50
	CostPerOpenID  bool          // a batch of N costs N of the quota, not 1
	SharedQuota    bool          // user/info and batchget spend the same quota
	KeepOrder      bool          // rows in the order of the request; else shuffled
	VisibleAfter   time.Duration // from a follow until the row shows it
	RefuseDashLang bool          // lang "zh-CN" is answered 40035
	ResetAt        time.Duration // after midnight in Beijing, when daily quotas begin anew
	StickyToken    bool          // stable_token goes on handing out a token that was killed
}

// Unknown is what a batch with a well-formed openid of nobody gets.
type Unknown uint8

// The answers on record.
const (
	UnknownRefused       Unknown = iota // 40003 for the whole call
	UnknownShiftsUnionID                // its row is left out, and the rows behind carry their neighbour's unionid
	UnknownOmitted                      // its row is left out
	UnknownAbsent                       // a row with subscribe 0
)

// Duplicates is what one openid twice in a request gets.
type Duplicates uint8

// The thinkable answers.
const (
	DuplicatesTwice   Duplicates = iota // two rows
	DuplicatesOnce                      // one row
	DuplicatesRefused                   // 40003
)

// Account is one account of a [Server]. Its methods may be called at any time
// by any number of goroutines.
type Account struct {
	cfg  AccountConfig
	book book
	bad  book // of another account that is not here

	mu      sync.Mutex
	secret  string
	changed map[uint64]change // people who are not as they were made
	late    []uint64          // sorted numbers ≥ Followers that follow
	left    int               // numbers < Followers that do not

	tokens tokens
	quotas quotas
	meter  meter
}

// change is what happened to a person after the start.
type change struct {
	follows bool
	since   time.Time // of the last Follow
	row     []byte    // set by SetRow
}

// OpenID returns the openid of person i. People from Followers on exist only
// once they follow.
func (a *Account) OpenID(i int) string {
	return string(a.book.appendOpenID(nil, uint64(i)))
}

// BadOpenID returns a well-formed openid of another account: refused with 40003
// always.
func (a *Account) BadOpenID(i int) string {
	return string(a.bad.appendOpenID(nil, uint64(i)))
}

// UnknownOpenID returns the openid of person i with the last character altered:
// well-formed, of this account, and of nobody. Quirks.Unknown says what it gets.
func (a *Account) UnknownOpenID(i int) string {
	id := a.book.appendOpenID(nil, uint64(i))
	last := &id[len(id)-1]
	*last = alphabet[values[*last]^1]
	return string(id)
}

// User returns a person's row exactly as it would be sent now, and false for an
// openid of nobody.
func (a *Account) User(openid string) ([]byte, bool) {
	s, ok := a.subject(openid, time.Now())
	if !ok {
		return nil, false
	}
	return a.appendRow(nil, s), true
}

// Follow lets a person follow from now on: subscribe_time becomes the present,
// a row set by SetRow is forgotten. It does nothing for an openid of nobody.
func (a *Account) Follow(openid string) {
	a.alter(openid, func(c *change) { *c = change{follows: true, since: time.Now()} })
}

// Unfollow lets a person unfollow.
func (a *Account) Unfollow(openid string) {
	a.alter(openid, func(c *change) { *c = change{} })
}

// SetRow fixes what is sent for a person, valid JSON or not.
func (a *Account) SetRow(openid, row string) {
	a.alter(openid, func(c *change) { c.follows, c.row = true, []byte(row) })
}

// SetSecret replaces the app secret; tokens that are out stay valid.
func (a *Account) SetSecret(secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secret = secret
}

// SetLimits replaces the quotas; what is spent of them stays spent.
func (a *Account) SetLimits(limits Limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cfg.Limits = limits
}

func (a *Account) limits() Limits {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg.Limits
}

func (a *Account) alter(openid string, f func(*change)) {
	i, o := a.book.find(openid)
	if o != person {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	founder := i < uint64(a.cfg.Followers)
	c, known := a.changed[i]
	if !known {
		c.follows = founder
	}
	before := c.follows
	f(&c)
	a.changed[i] = c
	if founder && before != c.follows {
		if c.follows {
			a.left--
		} else {
			a.left++
		}
	}
	if at, found := slices.BinarySearch(a.late, i); !founder && found != c.follows {
		if c.follows {
			a.late = slices.Insert(a.late, at, i)
		} else {
			a.late = slices.Delete(a.late, at, at+1)
		}
	}
}

// subject returns a person as of now, and false for an openid of nobody.
func (a *Account) subject(openid string, now time.Time) (subject, bool) {
	i, o := a.book.find(openid)
	if o != person {
		return subject{}, false
	}
	s := subject{openid: openid, number: i, union: i, follows: i < uint64(a.cfg.Followers)}
	a.mu.Lock()
	c, ok := a.changed[i]
	a.mu.Unlock()
	if !ok {
		return s, s.follows
	}
	s.follows, s.fixed = c.follows, c.row
	if !c.since.IsZero() {
		s.since = c.since.Unix()
		s.blank = now.Before(c.since.Add(a.cfg.Quirks.VisibleAfter))
	}
	return s, true
}

// page returns up to n numbers of followers behind a number, and how many there
// are in all.
func (a *Account) page(from uint64, n int) (numbers []uint64, total int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	founders := uint64(a.cfg.Followers)
	for i := from; i < founders && len(numbers) < n; i++ {
		if c, ok := a.changed[i]; !ok || c.follows {
			numbers = append(numbers, i)
		}
	}
	for _, i := range a.late {
		if i >= from && len(numbers) < n {
			numbers = append(numbers, i)
		}
	}
	return numbers, a.cfg.Followers - a.left + len(a.late)
}
