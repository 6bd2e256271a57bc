package wechattest

import (
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Limits are an account's quotas; a zero field means the default. Negative is
// none left at all.
type Limits struct {
	UserInfo    int // user/info and batchget, a day each; default 5,000,000
	UserGet     int // a day; default 500
	Token       int // a day; default 2,000
	StableToken int // a day; default 500,000
	PerMinute   int // of each data endpoint; default 0, unlimited
	ClearQuota  int // a month; default 10
}

// stablePerMinute is the one limit a minute that is documented.
const stablePerMinute = 10_000

// daily returns the limit of an endpoint's bucket, and false for endpoints
// without.
func (l Limits) daily(bucket string) (int, bool) {
	limit, standard := 0, 0
	switch bucket {
	case "user/info", "user/info/batchget":
		limit, standard = l.UserInfo, 5_000_000
	case "user/get":
		limit, standard = l.UserGet, 500
	case "token":
		limit, standard = l.Token, 2_000
	case "stable_token":
		limit, standard = l.StableToken, 500_000
	default:
		return 0, false
	}
	if limit == 0 {
		limit = standard
	}
	return max(limit, 0), true
}

func (l Limits) minute(bucket string) int {
	if bucket == "stable_token" {
		return stablePerMinute
	}
	return l.PerMinute
}

// quotas counts what is spent.
type quotas struct {
	mu      sync.Mutex
	spent   map[string]*spending
	month   int
	cleared int // this month
}

type spending struct {
	day, minute       int64
	today, thisMinute int
}

// beijingDay numbers the days that begin so long after midnight, UTC+8.
func beijingDay(now time.Time, reset time.Duration) int64 {
	return (now.Unix() + 8*3600 - int64(reset/time.Second)) / 86400
}

func (a *Account) bucket(endpoint string) string {
	if a.cfg.Quirks.SharedQuota && endpoint == "user/info/batchget" {
		return "user/info"
	}
	return endpoint
}

// roll returns a bucket with what belongs to past days and minutes dropped.
func (q *quotas) roll(bucket string, now time.Time, reset time.Duration) *spending {
	s := q.spent[bucket]
	if s == nil {
		s = new(spending)
		if q.spent == nil {
			q.spent = make(map[string]*spending)
		}
		q.spent[bucket] = s
	}
	if day := beijingDay(now, reset); day != s.day {
		s.day, s.today = day, 0
	}
	if minute := now.Unix() / 60; minute != s.minute {
		s.minute, s.thisMinute = minute, 0
	}
	return s
}

// spend takes from the endpoint's quotas, or says which one is used up.
func (x *exchange) spend(cost int) *reply {
	q := &x.acc.quotas
	bucket := x.acc.bucket(x.endpoint)
	limit, limited := x.acc.limits().daily(bucket)
	if !limited {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.roll(bucket, x.now, x.acc.cfg.Quirks.ResetAt)
	if s.today+cost > limit {
		return fail(45009)
	}
	if most := x.acc.limits().minute(bucket); most > 0 && s.thisMinute >= most {
		return fail(45011)
	}
	s.today += cost
	s.thisMinute++
	return nil
}

// quotaGet serves /cgi-bin/openapi/quota/get.
func (x *exchange) quotaGet() *reply {
	if r := x.json(); r != nil {
		return r
	}
	const prefix = "/cgi-bin/"
	path := gjson.Get(x.body, "cgi_path").Str
	if len(path) < len(prefix) || path[:len(prefix)] != prefix {
		return fail(76021)
	}
	a := x.acc
	bucket := a.bucket(path[len(prefix):])
	limit, limited := a.limits().daily(bucket)
	if !limited {
		return fail(76021)
	}
	a.quotas.mu.Lock()
	used := a.quotas.roll(bucket, x.now, a.cfg.Quirks.ResetAt).today
	a.quotas.mu.Unlock()
	b := append([]byte(nil), `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":`...)
	b = appendInt(b, limit)
	b = append(b, `,"used":`...)
	b = appendInt(b, used)
	b = append(b, `,"remain":`...)
	b = appendInt(b, limit-used)
	b = append(b, '}')
	if most := a.limits().minute(bucket); most > 0 {
		b = append(b, `,"rate_limit":{"call_count":`...)
		b = appendInt(b, most)
		b = append(b, `,"refresh_second":60}`...)
	}
	return ok(append(b, '}'))
}

// clearQuota serves /cgi-bin/clear_quota.
func (x *exchange) clearQuota() *reply {
	if r := x.json(); r != nil {
		return r
	}
	if gjson.Get(x.body, "appid").Str != x.acc.cfg.AppID {
		return fail(40013)
	}
	most := x.acc.limits().ClearQuota
	if most == 0 {
		most = 10
	}
	q := &x.acc.quotas
	q.mu.Lock()
	defer q.mu.Unlock()
	year, month, _ := x.now.UTC().Add(8 * time.Hour).Date()
	if m := year*12 + int(month); m != q.month {
		q.month, q.cleared = m, 0
	}
	if q.cleared >= most {
		return fail(48006)
	}
	q.cleared++
	clear(q.spent)
	return ok([]byte(`{"errcode":0,"errmsg":"ok"}`))
}
