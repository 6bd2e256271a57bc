package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// Resolved is an account's end of the input with its appid filled in.
type Resolved struct {
	Stream   string
	Subjects []string // filter of the consumer, and where publish puts events
	Durable  string
}

// Resolve fills the account's appid into the input's templates.
func (a *Account) Resolve() Resolved {
	r := Resolved{Stream: a.expand(a.Input.Stream), Durable: a.expand(a.Input.Durable)}
	for _, s := range a.Input.Subject {
		r.Subjects = append(r.Subjects, a.expand(s))
	}
	return r
}

// expand is the template with the appid filled in; the template itself when it
// has been found faulty.
func (a *Account) expand(template string) string {
	t, err := events.ParseTemplate(template, "appid", "openid", "unionid", "type", "reason")
	if err != nil {
		return template
	}
	return t.Expand(events.Vars{AppID: a.AppID})
}

// StartTime is input.start when it is a time.
func (in Input) StartTime() (t time.Time, ok bool) {
	t, err := time.Parse(time.RFC3339, in.Start)
	return t, err == nil
}

// ByAppID is the account with that appid.
func (c *Config) ByAppID(appid string) (*Account, bool) {
	i := slices.IndexFunc(c.Accounts, func(a Account) bool { return a.AppID == appid })
	if i < 0 {
		return nil, false
	}
	return &c.Accounts[i], true
}

// Anyone is an account with this appid and the general sections, for commands
// that need no account in the configuration.
func (c *Config) Anyone(appid string) *Account {
	if a, ok := c.ByAppID(appid); ok {
		return a
	}
	a := NewAccount(appid)
	a.inherit(c)
	return a
}

// AppIDs lists the accounts, for completion.
func (c *Config) AppIDs() []string {
	out := make([]string, len(c.Accounts))
	for i := range c.Accounts {
		out[i] = c.Accounts[i].AppID
	}
	return out
}

// ErrNoSecret means that the account names no secret.
var ErrNoSecret = errors.New("the account has neither secret_file nor secret_env")

// Secret reads the AppSecret anew, so that a changed file counts at once.
// getenv is os.Getenv. The error never holds the secret.
func (a *Account) Secret(getenv func(string) string) (wechat.Secret, error) {
	switch {
	case a.SecretFile != "":
		return ReadSecret(a.SecretFile)
	case a.SecretEnv != "":
		if s := strings.TrimSpace(getenv(a.SecretEnv)); s != "" {
			return wechat.Secret(s), nil
		}
		return "", fmt.Errorf("secret_env: the variable %s is not set", a.SecretEnv)
	}
	return "", ErrNoSecret
}

// Authorization reads what a token's URL wants as that header, anew each time;
// empty when neither auth_file nor auth_env is set. getenv is os.Getenv. The
// error never holds the value.
func (t *Token) Authorization(getenv func(string) string) (wechat.Secret, error) {
	switch {
	case t.AuthFile != "":
		return ReadSecret(t.AuthFile)
	case t.AuthEnv != "":
		if s := strings.TrimSpace(getenv(t.AuthEnv)); s != "" {
			return wechat.Secret(s), nil
		}
		return "", fmt.Errorf("token.auth_env: the variable %s is not set", t.AuthEnv)
	}
	return "", nil
}

// ReadSecret reads a file that holds one secret and perhaps a line end.
func ReadSecret(path string) (wechat.Secret, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return wechat.Secret(s), nil
}
