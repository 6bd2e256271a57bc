package wechat_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/wechat"
)

// FuzzAnswer gives whatever somebody in WeChat's place may say to every method:
// nothing panics, an error is a classified one that keeps what was asked with to
// itself, and there are no more rows than bytes for them.
func FuzzAnswer(f *testing.F) {
	for status, bodies := range map[int][]string{
		200: {
			`{"user_info_list":[{"subscribe":1,"openid":"oA","unionid":"u","tagid_list":[2]},{"openid":"oB","subscribe":0}]}`,
			`{"subscribe":1,"openid":"oA","subscribe_time":1700000000,"qr_scene":98765}`,
			`{"total":2,"count":2,"data":{"openid":["oA","oB"]},"next_openid":"oB"}`,
			`{"quota":{"daily_limit":5000,"used":1,"remain":4999},"rate_limit":{"call_count":600,"refresh_second":60}}`,
			`{"access_token":"t","expires_in":7200}`, `{"access_token":"t","expires_in":-1e300}`,
			`{"errcode":40001,"errmsg":"` + canaryToken + canarySecret + `, rid: 1-2"}`, `{"errcode":"-1"}`, "", "{", "<html>",
		},
		502: {"<html>bad gateway", `{"errcode":45009}`},
	} {
		for _, body := range bodies {
			f.Add(status, []byte(body))
		}
	}
	var status int
	var body []byte
	answer := func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	}
	client, err := wechat.New(wechat.Config{AppID: "wx1", Tokens: &fixedToken{token: canaryToken}, Transport: roundTripper(answer)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = s, b
		secret := canaryToken
		fault := func(err error) {
			if err == nil {
				return
			}
			if _, ok := errors.AsType[*wechat.Error](err); !ok {
				t.Errorf("%#v is not classified", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("a secret is in %q", err)
			}
		}
		users, err := client.BatchGet(t.Context(), []wechat.Query{{OpenID: "oA"}, {OpenID: "oB"}})
		fault(err)
		if len(users) > len(b) {
			t.Errorf("%d rows of %d bytes", len(users), len(b))
		}
		_, err = client.UserInfo(t.Context(), wechat.Query{OpenID: "oA"})
		fault(err)
		page, err := client.Followers(t.Context(), "oA")
		fault(err)
		if len(page.OpenIDs) > len(b) {
			t.Errorf("%d openids of %d bytes", len(page.OpenIDs), len(b))
		}
		_, err = client.Quota(t.Context(), "/cgi-bin/user/get")
		fault(err)
		tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: "wx1", Secret: canarySecret, Transport: roundTripper(answer)})
		if err != nil {
			t.Fatal(err)
		}
		secret = canarySecret
		_, err = tokens.Token(t.Context())
		fault(err)
	})
}
