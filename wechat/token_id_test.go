package wechat_test

import (
	"context"
	"testing"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// tokenInTurn hands out whatever the test sets.
type tokenInTurn struct{ now wechat.Secret }

func (f *tokenInTurn) Token(context.Context) (wechat.Secret, error) { return f.now, nil }
func (f *tokenInTurn) Reject(wechat.Secret)                         {}

func TestTokenIDsTellTokensApart(t *testing.T) {
	t.Parallel()
	sim := wechattest.New()
	transport, stop := sim.Serve()
	t.Cleanup(stop)
	tokens := new(tokenInTurn)
	client, err := wechat.New(wechat.Config{AppID: "wx1", BaseURL: "http://wechat", Tokens: tokens, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	ctx, used := wechat.NoteToken(t.Context())
	if *used != 0 || wechat.NotedToken(t.Context()) != 0 {
		t.Error("a token before any call")
	}
	var ids []wechat.TokenID
	for _, token := range []wechat.Secret{"one", "two", "one"} {
		tokens.now = token
		_, _ = client.UserInfo(ctx, wechat.Query{OpenID: "oNobodyNobodyNobodyNobody"}) // refused: the token is of nobody
		if wechat.NotedToken(ctx) != *used {
			t.Error("the context says something else than the caller's copy")
		}
		ids = append(ids, *used)
	}
	if ids[0] == 0 || ids[0] == ids[1] || ids[0] != ids[2] {
		t.Errorf("ids %x, want the first and the last the same", ids)
	}
}
