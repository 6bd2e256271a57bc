package pipeline

import (
	"context"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// A Hold is why a lane does not pull: its account cannot answer anybody, and
// asking on would only spend calls. Every event stays in the stream, at the
// cost of one more delivery for those that were in hand.
type Hold struct {
	Reason string    // a word for logs and metrics: operator, daily_quota, wrong_account, bug, unknown_code, stolen_token
	Code   int       // WeChat's errcode
	RID    string    // WeChat's request id
	Detail string    // what WeChat said, redacted
	Hint   string    // one sentence: what to do
	Since  time.Time // when it began
	Until  time.Time // when the account is tried next
	Probes int       // how often it was tried since

	openid string // somebody who was in hand, to try with if nobody better is known
}

// What a hold's reason may be.
const (
	HoldOperator     = "operator"
	HoldDailyQuota   = "daily_quota"
	HoldWrongAccount = "wrong_account"
	HoldBug          = "bug"
	HoldUnknown      = "unknown_code"
	HoldStolenToken  = "stolen_token"
)

// Waits between probes. A person has to act, so there is no hurry; but once
// they have, nobody wants to wait for a quarter of an hour twice.
const (
	firstProbe = time.Minute
	lastProbe  = 15 * time.Minute
)

// holdFor makes the hold for a failure that is the account's.
func (l *Lane) holdFor(e *wechat.Error) *Hold {
	h := &Hold{Code: e.Code, RID: e.RID, Detail: e.Message, Since: time.Now()}
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
	case wechat.StaleToken:
		h.Reason = HoldStolenToken
		h.Hint = "the token is replaced as fast as it is fetched: find out what else fetches tokens for this account, or use token.source: stable"
	case wechat.Unknown:
		h.Reason = HoldUnknown
		h.Hint = "WeChat answers everything with a code that is not in the table; look it up in its documents"
	case wechat.Operator:
		h.Reason = HoldOperator
		h.Hint = e.Advice()
	default:
		h.Reason = HoldBug
		h.Hint = "WeChat finds our request malformed: check accounts.api and any proxy between, then report it"
	}
	return h
}

// wrongAccount is the hold of an account of which nobody has ever worked.
func (l *Lane) wrongAccount() *Hold {
	return &Hold{
		Reason: HoldWrongAccount, Code: 40003, Detail: "every openid asked so far is refused", Since: time.Now(),
		Hint: "check that appid, secret and the events' openids are of one account; canary_openid, one that is known to work, settles it",
	}
}

// schedule says when the account is tried next.
func (h *Hold) schedule(now time.Time, rand func() float64) {
	switch {
	case h.Reason == HoldDailyQuota && h.Probes > 0:
		// Not only a short-term limit in disguise: nothing more today.
		h.Until = beijingMidnight(now).Add(time.Duration(rand() * float64(10*time.Minute)))
	default:
		wait := min(lastProbe, firstProbe<<min(h.Probes, 8))
		h.Until = now.Add(wait + time.Duration(rand()*float64(wait/4)))
	}
}

// beijingMidnight is the next moment at which WeChat's daily counters begin
// anew. China has had no daylight saving time since 1991.
func beijingMidnight(now time.Time) time.Time {
	beijing := time.FixedZone("CST", 8*60*60)
	y, m, d := now.In(beijing).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, beijing)
}

// probe tries whether the account works again. It returns nil if it does, or
// the hold that it is in. One call is enough, and an account of which nobody is
// known to work gets none: only its next events can tell.
func (l *Lane) probe(c contexts, h *Hold) *Hold {
	openid, known := l.knownGood()
	if !known {
		openid = h.openid
	}
	if openid == "" || h.Reason == HoldWrongAccount && !known {
		return nil
	}
	err := l.call(c, func(ctx context.Context) error {
		_, err := l.wechat.BatchGet(ctx, []wechat.Query{{OpenID: openid, Lang: l.cfg.Lang}})
		return err
	})
	e := failure(err)
	if err == nil || refused(err) && !known {
		return nil
	}
	h.Probes++
	if e == nil || e.Class == wechat.Transient || e.Class == wechat.MinuteLimit {
		return h
	}
	next := l.holdFor(e)
	next.Since, next.Probes, next.openid = h.Since, h.Probes, h.openid
	return next
}
