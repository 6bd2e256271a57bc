package wechattest

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

const (
	// tokenPrefix begins a token; the tag of the account's book follows.
	tokenPrefix = "87_"
	// overlap is how long an old token lives beside its successor.
	overlap = 5 * time.Minute
	// forceSpacing and forceDaily limit force_refresh (api_getstableaccesstoken).
	forceSpacing = 30 * time.Second
	forceDaily   = 20
)

// token is one that was handed out.
type token struct {
	value   string
	expires time.Time
	killed  bool
}

// tokens are an account's tokens, of both endpoints: they do not touch each
// other's.
type tokens struct {
	mu              sync.Mutex
	live            []*token
	classic, stable *token
	first           uint64 // by chance: one that begins anew gives out no token that an earlier one did
	issued          int
	forced          time.Time // the last forced refresh
	forcedDay       int64
	forcedToday     int
}

// issue makes a new token.
func (t *tokens) issue(now time.Time, life time.Duration, b *book) *token {
	t.live = slices.DeleteFunc(t.live, func(old *token) bool { return now.Sub(old.expires) > 24*time.Hour })
	if t.issued == 0 {
		t.first = rand.Uint64()
	}
	t.issued++
	value := append([]byte(tokenPrefix), b.tag[:]...)
	for h := mix(t.first + uint64(t.issued)); len(value) < 136; h = mix(h) {
		value = appendDigits(value, h, 10)
	}
	tok := &token{value: string(value), expires: now.Add(life)}
	t.live = append(t.live, tok)
	return tok
}

// check returns the errcode that a data call with the token gets.
func (t *tokens) check(value string, now time.Time) (code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tok := range t.live {
		if tok.value != value {
			continue
		}
		switch {
		case tok.killed:
			return 40001
		case !now.Before(tok.expires):
			return 42001
		}
		return 0
	}
	return 40001
}

// KillTokens rejects every token that is out from now on, as a reset of the
// secret or a colleague's forced refresh does.
func (a *Account) KillTokens() {
	t := &a.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tok := range t.live {
		tok.killed = true
	}
	t.classic = nil
	if !a.cfg.Quirks.StickyToken {
		t.stable = nil
	}
}

// classicToken serves /cgi-bin/token: a new token, and the one before it ends
// soon.
func (x *exchange) classicToken() *reply {
	q := x.req.URL.Query()
	if r := x.login(q.Get("grant_type"), q.Get("appid"), q.Get("secret")); r != nil {
		return r
	}
	t := &x.acc.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.classic != nil && t.classic.expires.After(x.now.Add(overlap)) {
		t.classic.expires = x.now.Add(overlap)
	}
	t.classic = t.issue(x.now, x.acc.cfg.TokenLife, &x.acc.book)
	return x.tokenReply(t.classic)
}

// stableToken serves /cgi-bin/stable_token.
func (x *exchange) stableToken() *reply {
	if r := x.json(); r != nil {
		return r
	}
	body := gjson.Parse(x.body)
	if r := x.login(body.Get("grant_type").Str, body.Get("appid").Str, body.Get("secret").Str); r != nil {
		return r
	}
	t := &x.acc.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	life := x.acc.cfg.TokenLife
	if body.Get("force_refresh").Bool() && x.now.Sub(t.forced) >= forceSpacing {
		if day := beijingDay(x.now, 0); day != t.forcedDay {
			t.forcedDay, t.forcedToday = day, 0
		}
		if t.forcedToday >= forceDaily {
			return fail(45009)
		}
		t.forcedToday++
		t.forced = x.now
		if t.stable != nil {
			t.stable.killed = true
		}
		t.stable = t.issue(x.now, life, &x.acc.book)
		return x.tokenReply(t.stable)
	}
	// The platform changes the token by itself when it has five minutes left.
	if t.stable == nil || !x.now.Before(t.stable.expires.Add(-min(overlap, life/2))) {
		t.stable = t.issue(x.now, life, &x.acc.book)
	}
	return x.tokenReply(t.stable)
}

func (x *exchange) tokenReply(t *token) *reply {
	b := append([]byte(nil), `{"access_token":"`...)
	b = append(b, t.value...)
	b = append(b, `","expires_in":`...)
	b = appendInt(b, int(t.expires.Sub(x.now)/time.Second))
	return ok(append(b, '}'))
}

// login checks what both token endpoints ask for, and spends their quota.
func (x *exchange) login(grant, appid, secret string) *reply {
	switch {
	case grant != "client_credential":
		return fail(40002)
	case appid == "":
		return fail(41002)
	case secret == "":
		return fail(41004)
	}
	if !x.enter(x.srv.Account(appid)) {
		return fail(40013)
	}
	if r := x.faults(); r != nil {
		return r
	}
	x.acc.mu.Lock()
	right := secret == x.acc.secret
	x.acc.mu.Unlock()
	if !right {
		return fail(40001)
	}
	if r := x.address(); r != nil {
		return r
	}
	return x.spend(1)
}

// address checks the whitelist, which WeChat does where tokens are issued and,
// in practice, nowhere else.
func (x *exchange) address() *reply {
	host, _, err := net.SplitHostPort(x.req.RemoteAddr)
	if err != nil {
		host = x.req.RemoteAddr
	}
	if len(x.acc.cfg.Whitelist) == 0 || slices.Contains(x.acc.cfg.Whitelist, host) {
		return nil
	}
	return failWith(40164, "invalid ip "+host+" ipv6 ::ffff:"+host+", not in whitelist")
}

// bearer finds the account by the access token.
func (x *exchange) bearer() *reply {
	value := x.req.URL.Query().Get("access_token")
	if value == "" {
		return fail(41001)
	}
	code := 40001
	if x.enter(x.srv.tokenOwner(value)) {
		code = x.acc.tokens.check(value, x.now)
	}
	// What the answer takes comes after that: a token that dies while a call is
	// under way does not end it, and one that is dead already is refused at the
	// door, for the time of a call is that of looking people up: it grows with
	// their number.
	x.turnedAway = code != 0
	if r := x.faults(); r != nil {
		return r
	}
	if code != 0 {
		return fail(code)
	}
	if x.acc.cfg.Unverified {
		return fail(48001)
	}
	return nil
}
