package main

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
)

// guard asks for the bearer token in a file, if it has one. The file is read at
// each request, so that a new token counts at once.
type guard struct{ path string }

// newGuard refuses a file that has no token now: nobody would get in.
func newGuard(path string) (guard, error) {
	if path != "" {
		if _, err := config.ReadSecret(path); err != nil {
			return guard{}, usage("http.token_file: %w", err)
		}
	}
	return guard{path}, nil
}

func (g guard) admits(r *http.Request) bool {
	if g.path == "" {
		return true
	}
	want, err := config.ReadSecret(g.path)
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return err == nil && strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(strings.TrimSpace(got)), []byte(want.Reveal())) == 1
}

// all shows nothing without the token.
func (g guard) all(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.admits(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this needs the token of http.token_file", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// details shows the status alone without the token: a probe has none.
func (g guard) details(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.admits(r) {
			w = statusOnly{w}
		}
		h.ServeHTTP(w, r)
	})
}

// statusOnly keeps the body back.
type statusOnly struct{ http.ResponseWriter }

func (statusOnly) Write(b []byte) (int, error) { return len(b), nil }
