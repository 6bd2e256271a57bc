package pipeline

import (
	"errors"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
	"github.com/wxenrich/wxenrich/wechat"
)

// A Hold is why a lane does not pull: its account cannot answer anybody, and
// asking on would only spend calls. Every event stays in the stream, at the
// cost of one more delivery for those that were in hand.
//
// Its JSON form is what replicas tell each other in the state bucket.
type Hold struct {
	Reason string    `json:"reason"`           // a word for logs and metrics: see HoldOperator and its neighbours
	Code   int       `json:"errcode"`          // WeChat's errcode
	RID    string    `json:"rid,omitempty"`    // WeChat's request id
	Detail string    `json:"detail,omitempty"` // what WeChat said, redacted
	Hint   string    `json:"hint"`             // one sentence: what to do
	Since  time.Time `json:"since"`            // when it began
	Until  time.Time `json:"until,omitzero"`   // when the account is tried next; zero: not before somebody says so
	Probes int       `json:"probes"`           // how often it was tried since
	Rest   Rest      `json:"rest,omitempty"`   // the longest wait between two tries
	By     string    `json:"by"`               // the replica that met it, or the person who asked for it
	Token  bool      `json:"token,omitempty"`  // there is no access token to ask with
	Here   bool      `json:"here,omitempty"`   // what is wrong is on the replica's machine, such as a secret that is not there

	Prober  string    `json:"prober,omitempty"` // the replica that tries the account now
	Probing time.Time `json:"probing,omitzero"` // until when nobody else does
}

// What a hold's reason may be.
const (
	HoldOperator     = "operator"
	HoldAddress      = "address"
	HoldDailyQuota   = "daily_quota"
	HoldWrongAccount = "wrong_account"
	HoldBug          = "bug"
	HoldUnknown      = "unknown_code"
	HoldStolenToken  = "stolen_token"
	HoldManual       = "manual"
)

// firstProbe is the wait before an account on hold is tried for the first time;
// each one after that is twice as long. A person has to act, so there is no
// hurry; but once they have, nobody wants to wait for long twice.
const firstProbe = time.Minute

// Rest says how long the waits between probes get.
type Rest string

// How long they get.
const (
	Usual   Rest = ""        // a quarter of an hour
	Hourly  Rest = "hourly"  // what WeChat has to grant takes days rather than minutes
	Minutes Rest = "minutes" // a list of addresses is mended in the console, and nothing tells us
)

func (r Rest) longest() time.Duration {
	switch r {
	case Hourly:
		return time.Hour
	case Minutes:
		return 5 * time.Minute
	}
	return 15 * time.Minute
}

// probeLease is how long a replica has for a probe before another tries.
const probeLease = time.Minute

// Own reports whether the hold is one replica's only: the others call from
// elsewhere, with secrets of their own, and may still be answered.
func (h *Hold) Own() bool { return h.Reason == HoldAddress || h.Here }

// byOurLimits reports whether quota.limit or quota.use_at_most brought the hold
// about: WeChat has refused nothing.
func (h *Hold) byOurLimits() bool { return h.Reason == HoldDailyQuota && h.Code == 0 }

// due is when the account is tried next; false if never by itself.
func (h *Hold) due() (time.Time, bool) {
	if h.Prober != "" {
		return h.Probing, true
	}
	return h.Until, !h.Until.IsZero()
}

// detailNobodyWorked is all that is known of an account of which nobody has.
const detailNobodyWorked = "every openid asked so far is refused"

// What to do about a hold where it depends on more than the class.
const (
	hintNobodyWorked = "check that appid, secret and the events' openids are of one account; canary_openid, one that is known to work, settles it"
	hintOthersWork   = "the token is of another account than the events, or the events' openids are wrong: compare appid, secret or token source with where the events come from"
	hintNobodyAtAll  = "WeChat refuses the people it lists itself: check accounts.api and any proxy between, else ask WeChat, with the rid"
	hintToken        = "the token is replaced as fast as it is fetched: find out what else fetches tokens for this account, or use token.source: stable"
)

// holdFor makes the hold for a failure that is the account's.
func (l *Lane) holdFor(e *wechat.Error) *Hold {
	h := &Hold{Code: e.Code, RID: e.RID, Detail: e.Message, Since: time.Now(), Token: wantsToken(e)}
	if h.Detail == "" && e.Err != nil {
		h.Detail = e.Err.Error()
	}
	switch e.Class {
	case wechat.DailyQuota:
		h.Reason = HoldDailyQuota
		h.Hint = "the day's calls are spent; it goes on by itself after midnight in Beijing, or after the quota is raised or cleared"
	case wechat.BadOpenID, wechat.NotFollowing:
		h.Reason = HoldWrongAccount
		h.Hint = "an openid that is known to work is refused: check that appid, secret and the events' openids are of one account"
		if len(l.knownGood()) == 0 {
			h.Hint = hintNobodyWorked
		}
	case wechat.StaleToken:
		h.Reason = HoldStolenToken
		h.Hint = l.hint
	case wechat.Unknown:
		h.Reason = HoldUnknown
		if e.Code == 0 { // refused before WeChat's application saw it
			h.Hint = e.Advice()
			break
		}
		h.Hint = "WeChat answers everything with a code that is not in the table; look it up in its documents"
	case wechat.BatchSize:
		h.Reason, h.Hint = HoldBug, e.Advice()
	case wechat.Operator:
		h.Reason = HoldOperator
		h.Hint = e.Advice()
		cause, ok := errors.AsType[interface {
			error
			Here() bool
		}](e.Err)
		h.Here = ok && cause.Here()
	case wechat.Permission:
		h.Reason, h.Rest = HoldOperator, Hourly
		h.Hint = e.Advice()
	case wechat.Address:
		h.Reason, h.Rest = HoldAddress, Minutes
		h.Hint = e.Advice()
	default:
		h.Reason = HoldBug
		h.Hint = "WeChat finds our request malformed: check accounts.api and any proxy between, then report it"
	}
	if e.After > 0 {
		h.Until = h.Since.Add(e.After) // WeChat says how long
	}
	return h
}

// wrongAccount is the hold of an account of which nobody has ever worked.
func (l *Lane) wrongAccount() *Hold {
	return &Hold{
		Reason: HoldWrongAccount, Code: 40003, Detail: detailNobodyWorked, Since: time.Now(),
		Hint: hintNobodyWorked,
	}
}

// schedule says when the account is tried next, not before WeChat allows it.
func (h *Hold) schedule(now time.Time, rand func() float64) {
	wished := h.Until
	if h.Reason == HoldDailyQuota && h.Probes > 0 {
		// Not only a short-term limit in disguise: nothing more today.
		h.Until = afterMidnight(now, rand)
	} else {
		wait := min(h.Rest.longest(), firstProbe<<min(h.Probes, 8))
		h.Until = now.Add(wait + time.Duration(rand()*float64(wait/4)))
	}
	if wished.After(h.Until) {
		h.Until = wished
	}
}

// afterMidnight is soon after WeChat's daily counters begin anew.
func afterMidnight(now time.Time, rand func() float64) time.Time {
	return quota.Midnight(now).Add(time.Duration(rand() * float64(10*time.Minute)))
}
