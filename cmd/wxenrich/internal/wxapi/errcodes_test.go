package wxapi_test

import (
	"net/http/httptest"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// The configuration's classes hold for calls of both kinds.
func TestErrcodesAreOverruled(t *testing.T) {
	t.Parallel()
	sim := wechattest.New()
	account := sim.AddAccount(wechattest.AccountConfig{AppID: appid, Secret: "right", Followers: 10})
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	a := config.NewAccount(appid)
	a.API = server.URL
	a.SecretEnv = "S"
	a.Errcodes = config.Map{"48001": "transient", "token/-1": "operator"}
	client, err := wxapi.New(a, wxapi.Options{Getenv: func(string) string { return "right" }})
	if err != nil {
		t.Fatal(err)
	}
	get := func(endpoint string, code int) error {
		defer sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: endpoint}, Do: wechattest.Action{Code: code}})()
		_, err := client.UserInfo(t.Context(), wechat.Query{OpenID: account.OpenID(0)})
		return err
	}
	if err := get("stable_token", -1); wechat.ClassOf(err) != wechat.Operator {
		t.Errorf("token: %v is %v, want operator", err, wechat.ClassOf(err))
	}
	if err := get("user/info", -1); wechat.ClassOf(err) != wechat.Transient {
		t.Errorf("data: %v is %v, want transient as in the table", err, wechat.ClassOf(err))
	}
	if err := get("user/info", 48001); wechat.ClassOf(err) != wechat.Transient {
		t.Errorf("data: %v is %v, want transient", err, wechat.ClassOf(err))
	}
}
