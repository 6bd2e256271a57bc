package push

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// sign is WeChat's signature over the token and what it covers.
func sign(token wechat.Secret, covered ...string) string {
	parts := append([]string{token.Reveal()}, covered...)
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// signed compares in a time that does not depend on how much is right.
func signed(signature string, token wechat.Secret, covered ...string) bool {
	return subtle.ConstantTimeCompare([]byte(sign(token, covered...)), []byte(signature)) == 1
}

// Query is what WeChat puts into the query string.
type Query struct {
	Signature    string // over token, timestamp and nonce
	MsgSignature string // over those and Encrypt
	Timestamp    string // unix seconds
	Nonce        string
	Echo         string // of a verification only
}

// maxParameter bounds each parameter in bytes; real ones have at most 40.
const maxParameter = 512

// ParseQuery reads a query string. A parameter that is there twice is refused:
// what one reader takes for signed another might not.
func ParseQuery(v url.Values) (Query, error) {
	var q Query
	for _, p := range []struct {
		name string
		to   *string
	}{
		{"signature", &q.Signature}, {"msg_signature", &q.MsgSignature},
		{"timestamp", &q.Timestamp}, {"nonce", &q.Nonce}, {"echostr", &q.Echo},
	} {
		switch values := v[p.name]; {
		case len(values) > 1:
			return Query{}, refuse(Malformed, "the query has %s twice", p.name)
		case len(values) == 1 && len(values[0]) > maxParameter:
			return Query{}, refuse(Malformed, "the query's %s is longer than %d bytes", p.name, maxParameter)
		case len(values) == 1:
			*p.to = values[0]
		}
	}
	if q.Timestamp == "" || q.Nonce == "" || q.Signature == "" && q.MsgSignature == "" {
		return Query{}, refuse(Malformed, "the query has no signature, timestamp or nonce")
	}
	return q, nil
}

// at is when the push was signed.
func (q Query) at() (time.Time, error) {
	seconds, err := strconv.ParseInt(q.Timestamp, 10, 64)
	if err != nil {
		return time.Time{}, refuse(Malformed, "the timestamp is not a unix time")
	}
	return time.Unix(seconds, 0), nil
}

// fresh refuses a timestamp that is more than skew from now.
func (q Query) fresh(now time.Time, skew time.Duration) error {
	at, err := q.at()
	if err != nil {
		return err
	}
	if age := now.Sub(at); age > skew || age < -skew {
		return refuse(Stale, "it was signed %v from this machine's clock, and at most %v is taken", age.Abs().Round(time.Second), skew)
	}
	return nil
}
