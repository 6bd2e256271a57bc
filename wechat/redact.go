package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// secrets are the strings that must not leave a call: its token or its app
// secret. The zero value hides query parameters only.
type secrets []string

// scrub returns text without the secrets, plain or escaped, and without the
// values of the query parameters that carry one: a server may echo the URL.
func (s secrets) scrub(text string) string {
	for _, secret := range s {
		if secret == "" {
			continue
		}
		text = strings.ReplaceAll(text, secret, redacted)
		if q := url.QueryEscape(secret); q != secret {
			text = strings.ReplaceAll(text, q, redacted)
		}
	}
	for _, name := range [...]string{"access_token=", "secret="} {
		text = cutParameter(text, name)
	}
	return text
}

func cutParameter(text, name string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, name)
		if !ok {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before + name + redacted)
		end := strings.IndexAny(after, "& \t\r\n\"'<>")
		if end < 0 {
			return b.String()
		}
		text = after[end:]
	}
}

// cause returns err fit to be seen. The URL of a *url.Error goes, its cause
// stays. What still holds a URL or a secret deeper down (a proxy's refusal, a
// malformed status line that echoes the request) is replaced by its scrubbed
// text, which remembers whether it was a context error or a time-out.
func (s secrets) cause(ctx context.Context, err error) error {
	for {
		u, ok := err.(*url.Error)
		if !ok {
			break
		}
		err = u.Err
	}
	text := err.Error()
	clean := s.scrub(text)
	if _, deep := errors.AsType[*url.Error](err); deep || clean != text || s.in(err) {
		t, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err)
		err = &opaqueError{text: clean, timeout: ok && t.Timeout(), context: contextError(err)}
	}
	// net/http gives the context's cause, which need not be a context error.
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	return err
}

// in reports whether %+v or %#v of an error of the tree shows a secret that the
// text of its root does not.
func (s secrets) in(err error) bool {
	for _, verb := range [...]string{"%+v", "%#v"} {
		if text := fmt.Sprintf(verb, err); s.scrub(text) != text {
			return true
		}
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		inner := u.Unwrap()
		return inner != nil && s.in(inner)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(u.Unwrap(), s.in)
	}
	return false
}

func contextError(err error) error {
	for _, end := range [...]error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	return nil
}

// opaqueError stands for an error whose chain must not be seen. It is a
// [net.Error].
type opaqueError struct {
	text    string
	timeout bool
	context error // context.Canceled, context.DeadlineExceeded or nil
}

func (e *opaqueError) Error() string   { return e.text }
func (e *opaqueError) Unwrap() error   { return e.context }
func (e *opaqueError) Timeout() bool   { return e.timeout }
func (e *opaqueError) Temporary() bool { return e.timeout }
