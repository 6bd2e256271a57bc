package wxapi

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/wxenrich/wxenrich/wechat"
)

// secretTokens fetches tokens with a secret that may be missing at first, and
// that is read again when WeChat refuses it: whoever mends a secret file need
// not restart anything. It is safe for concurrent use.
type secretTokens struct {
	read func() (wechat.Secret, error)
	make func(wechat.Secret) (*wechat.Tokens, error)

	mu      sync.Mutex // held for a small file's read, never across a call
	secret  wechat.Secret
	missing bool           // there was none when it was read
	tokens  *wechat.Tokens // nil until a secret has been read
}

func (t *secretTokens) Token(ctx context.Context) (wechat.Secret, error) {
	tokens, err := t.current()
	if err != nil {
		return "", noSecret(err)
	}
	token, err := tokens.Token(ctx)
	if class := wechat.ClassOf(err); (class == wechat.Operator || class == wechat.Permission) && t.changed() {
		return tokens.Token(ctx)
	}
	return token, err
}

func noSecret(err error) error {
	return unreadable("secret", "give the AppSecret by secret_file or secret_env; it is in the account's console", err)
}

// readable returns what Token would without a secret.
func (t *secretTokens) readable() error {
	if _, err := t.current(); err != nil {
		return noSecret(err)
	}
	return nil
}

func (t *secretTokens) Reject(token wechat.Secret) {
	if tokens, err := t.current(); err == nil {
		tokens.Reject(token)
	}
}

func (t *secretTokens) current() (*wechat.Tokens, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens != nil {
		return t.tokens, nil
	}
	secret, err := t.read()
	t.missing = err != nil
	if err != nil {
		return nil, err
	}
	tokens, err := t.make(secret)
	if err == nil {
		t.secret, t.tokens = secret, tokens
	}
	return tokens, err
}

// Renewed takes over a secret that differs from the one in use, or is there
// where it was missing, and reports whether there was one. The first one that is
// read is not new: a replica that finds a hold may not have read any before.
func (t *secretTokens) Renewed() bool {
	t.mu.Lock()
	unread, missing := t.tokens == nil, t.missing
	t.mu.Unlock()
	if unread {
		_, err := t.current()
		return err == nil && missing
	}
	return t.changed()
}

// changed takes over a secret that differs from the one in use.
func (t *secretTokens) changed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	secret, err := t.read()
	if err != nil || secret == t.secret {
		return false
	}
	t.secret = secret
	t.tokens.SetSecret(secret)
	return true
}

// Format prints no field: fmt would print the secret among them.
func (*secretTokens) Format(f fmt.State, _ rune) { io.WriteString(f, "wxapi.secretTokens") }
