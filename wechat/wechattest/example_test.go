package wechattest_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// A program's own test: a follower who leaves, and a service that is busy once.
func Example() {
	sim := wechattest.New()
	acc := sim.AddAccount(wechattest.AccountConfig{AppID: "wx0123456789abcdef", Secret: "s3cret", Followers: 1000})
	web := httptest.NewServer(sim)
	defer web.Close()

	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: "wx0123456789abcdef", Secret: "s3cret", BaseURL: web.URL})
	if err != nil {
		panic(err)
	}
	client, err := wechat.New(wechat.Config{AppID: "wx0123456789abcdef", Tokens: tokens, BaseURL: web.URL})
	if err != nil {
		panic(err)
	}

	acc.Unfollow(acc.OpenID(7))
	sim.Inject(wechattest.Fault{
		Match: wechattest.Match{Endpoint: "user/info"},
		Times: 1,
		Do:    wechattest.Action{Code: -1},
	})

	for range 2 {
		user, err := client.UserInfo(context.Background(), wechat.Query{OpenID: acc.OpenID(7)})
		if err != nil {
			fmt.Println("class:", wechat.ClassOf(err))
			continue
		}
		fmt.Println("subscribe:", user.Subscribe)
	}
	fmt.Println("calls:", acc.Stats().Calls["user/info"])
	// Output:
	// class: transient
	// subscribe: 0
	// calls: 2
}
