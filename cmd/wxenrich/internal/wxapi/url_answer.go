package wxapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxenrich/wxenrich/wechat"
)

const (
	// urlBlind is how often a token is asked for whose end nobody says.
	urlBlind = time.Minute

	// urlLife is what such a token lives at most, and so how long it serves on
	// when the server is away: WeChat refuses it sooner if it is replaced.
	urlLife = 2 * time.Hour

	// firstUnix is from where on a number is a moment and no length of time: in
	// seconds it is in 2001, and as a life it is thirty years.
	firstUnix = 1e9

	// firstMillis is from where on such a moment is in milliseconds.
	firstMillis = 1e12

	// maxToken is far more than WeChat asks to leave room for, 512.
	maxToken = 4096
)

// errNoToken is an answer that is as it should be but for the token.
var errNoToken = errors.New("the answer is JSON and holds no text at token.token_path")

// tokenAnswer is how an answer is read.
type tokenAnswer struct {
	token, expires string // paths
}

// parse reads an answer to a question asked at that time.
func (a tokenAnswer) parse(body []byte, asked time.Time) (wechat.Token, error) {
	text := strings.TrimSpace(string(body))
	if !strings.HasPrefix(text, "{") {
		token, err := tokenOf(text)
		return wechat.Token{Value: token, Expires: asked.Add(urlLife), Renew: asked.Add(urlBlind)}, err
	}
	if !json.Valid([]byte(text)) {
		return wechat.Token{}, errors.New("the answer is broken JSON")
	}
	value := gjson.Get(text, a.token)
	if value.Type != gjson.String || value.Str == "" {
		return wechat.Token{}, errNoToken
	}
	token, err := tokenOf(value.Str)
	if err != nil {
		return wechat.Token{}, err
	}
	t := wechat.Token{Value: token}
	switch end := gjson.Get(text, a.expires); {
	case !end.Exists() || end.Type == gjson.Null:
		t.Expires, t.Renew = asked.Add(urlLife), asked.Add(urlBlind)
		return t, nil
	default:
		t.Expires, err = endOf(end, asked)
	}
	if err == nil && !t.Expires.After(asked) {
		err = errors.New("the answer's token has expired")
	}
	return t, err
}

// tokenOf refuses what cannot be a token, such as a proxy's page.
func tokenOf(text string) (wechat.Secret, error) {
	odd := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"'{}[]&\`, r) })
	switch {
	case text == "":
		return "", errors.New("the answer is empty")
	case odd >= 0 || len(text) > maxToken:
		return "", errors.New("the answer is neither a token nor JSON")
	}
	return wechat.Secret(text), nil
}

// endOf reads seconds, a unix time or RFC 3339.
func endOf(end gjson.Result, asked time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, end.Str); err == nil && end.Type == gjson.String {
		return at, nil
	}
	n := json.Number(end.Raw)
	if end.Type == gjson.String {
		n = json.Number(end.Str)
	}
	switch f, err := n.Float64(); {
	case err != nil || !(f >= 0) || f > 1e15:
		return time.Time{}, fmt.Errorf("the answer holds neither seconds nor a time at token.expires_path")
	case f >= firstMillis:
		return time.UnixMilli(int64(f)), nil
	case f >= firstUnix:
		return time.Unix(int64(f), 0), nil
	default:
		return asked.Add(time.Duration(f * float64(time.Second))), nil
	}
}
