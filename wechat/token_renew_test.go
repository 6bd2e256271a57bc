package wechat_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

func TestRenew(t *testing.T) {
	t.Parallel()
	down := &wechat.Error{Class: wechat.Transient, Err: errors.New("down")}
	for name, c := range map[string]struct {
		first  string // in hand; none if empty
		reject bool   // that one was refused
		failed bool   // the last fetch did
		given  string // by the source now; it fails if empty
		want   bool
		token  wechat.Secret // afterwards in hand
	}{
		"another":               {first: "a", given: "b", want: true, token: "b"},
		"the same":              {first: "a", given: "a", token: "a"},
		"a failure":             {first: "a", token: "a"},
		"the refused one":       {first: "a", reject: true, given: "a"},
		"another after refusal": {first: "a", reject: true, given: "b", want: true, token: "b"},
		"the first":             {given: "b", token: "b"},
		"one after a failure":   {failed: true, given: "b", want: true, token: "b"},
		"failures only":         {failed: true},
	} {
		given, told := c.first, wechat.Secret("")
		tokens := wechat.NewTokens("source", func(_ context.Context, w wechat.Wanted) (wechat.Token, error) {
			told = w.Rejected
			if given == "" {
				return wechat.Token{}, down
			}
			return wechat.Token{Value: wechat.Secret(given), Expires: time.Now().Add(time.Hour)}, nil
		})
		if c.first != "" || c.failed {
			_, _ = tokens.Token(t.Context())
		}
		if c.reject {
			tokens.Reject(wechat.Secret(c.first))
		}
		given = c.given
		renewed, err := tokens.Renew(t.Context())
		if renewed != c.want || (err != nil) != (c.given == "") || tokens.Current().Value != c.token {
			t.Errorf("%s: %v, %v, in hand %q; want %v and %q", name, renewed, err, tokens.Current().Value.Reveal(), c.want, c.token.Reveal())
		}
		if told != "" {
			t.Errorf("%s: the source was told of a refusal", name)
		}
		if !c.reject || c.token != "" {
			continue
		}
		if _, _ = tokens.Token(t.Context()); told.Reveal() != c.first {
			t.Errorf("%s: the next fetch tells of %q", name, told.Reveal())
		}
	}
}

func TestRenewKeepsToTheCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		tokens := wechat.NewTokens("source", func(context.Context, wechat.Wanted) (wechat.Token, error) {
			asked++
			return wechat.Token{Value: "a", Expires: time.Now().Add(time.Hour)}, nil
		})
		for range 600 {
			_, _ = tokens.Renew(t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		if asked < 12 || asked > 5+12 {
			t.Errorf("asked %d times in a minute, want one in 5 s after the first 5", asked)
		}
	})
}
