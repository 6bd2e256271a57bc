package wxapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/wechat"
)

// keptTokens reads a token that somebody else keeps fresh, anew for each call.
// It is safe for concurrent use.
type keptTokens struct {
	op     string // where the token is kept, for errors
	advice string // what to do when there is none, or an old one
	read   func() (wechat.Secret, error)

	mu      sync.Mutex
	last    wechat.Secret // that was read
	missing bool          // there was none when it was read
	refused wechat.Secret
	again   bool      // it was refused, tried again, and refused again
	until   time.Time // when the refused one may be tried again
}

// WeChat has been wrong about a token before, and whoever keeps it hears of no
// refusal and writes the same one for two hours. So a token that was refused is
// tried again.
const (
	// keptPause is how soon, for the first time. Calls that were in flight with
	// it are refused together meanwhile, and say it only once.
	keptPause = time.Second
	// keptRest is how long after that: it is hardly a mistake then.
	keptRest = time.Minute
)

const (
	fileAdvice = "whoever keeps the file of token.path has to write the account's present token to it"
	envAdvice  = "set the variable of token.env to the account's present token, and start anew"
)

// fileTokens reads a file.
func fileTokens(path string) *keptTokens {
	return &keptTokens{op: "token file", advice: fileAdvice,
		read: func() (wechat.Secret, error) { return config.ReadSecret(path) }}
}

// envTokens is one token for the life of the process, for tests and one-off
// look-ups: it is good for two hours.
func envTokens(name string, getenv func(string) string) *keptTokens {
	return &keptTokens{op: "token variable", advice: envAdvice,
		read: func() (wechat.Secret, error) {
			if token := strings.TrimSpace(getenv(name)); token != "" {
				return wechat.Secret(token), nil
			}
			return "", fmt.Errorf("%s is not set", name)
		}}
}

// Token fails on a token that has just been refused: asking with it again would
// tell nothing new. One that was refused twice is a person's business.
func (t *keptTokens) Token(context.Context) (wechat.Secret, error) {
	token, err := t.read()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.missing = token, err != nil
	if err != nil {
		return "", unreadable(t.op, t.advice, err)
	}
	if wait := time.Until(t.until); token == t.refused && wait > 0 {
		err := errors.New("it holds the token that WeChat has refused")
		if !t.again {
			return "", &wechat.Error{Op: t.op, Class: wechat.Transient, After: wait, Err: err}
		}
		return "", operator(t.op, t.advice, err)
	}
	return token, nil
}

func (t *keptTokens) Reject(token wechat.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch {
	case token != t.refused || now.After(t.until.Add(keptRest)): // it has worked since, or may have
		t.refused, t.again, t.until = token, false, now.Add(keptPause)
	case !now.Before(t.until):
		t.again, t.until = true, now.Add(keptRest)
	}
}

// Renewed reports whether the token has been replaced since it was last read,
// or is there where it was missing. The first one that is read is not new.
func (t *keptTokens) Renewed() bool {
	token, err := t.read()
	t.mu.Lock()
	defer t.mu.Unlock()
	before, missing := t.last, t.missing
	t.missing = err != nil
	if err != nil {
		return false
	}
	t.last = token
	return token != before && (before != "" || missing)
}

// Format prints no field: fmt would print the secret among them.
func (*keptTokens) Format(f fmt.State, _ rune) { io.WriteString(f, "wxapi.keptTokens") }
