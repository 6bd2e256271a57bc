package wechattest

import (
	"io"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
)

// exchange is one request on its way to a reply.
type exchange struct {
	srv      *Server
	req      *http.Request
	now      time.Time
	endpoint string
	acc      *Account // nil until the token or the appid tells
	body     string
	openids  []string // asked for
	actions  []Action // of the faults that hit this request
	target   string   // the openid that a row fault is for; empty for any

	turnedAway bool // the token is refused: nobody is looked up, which is what takes time
}

// answer finds the reply. What is wrong with the request itself comes before
// what is wrong with the account.
func (x *exchange) answer() *reply {
	body, err := io.ReadAll(io.LimitReader(x.req.Body, 1<<20))
	if err != nil {
		return &reply{abort: true}
	}
	x.body = string(body)
	serve, method := x.route()
	switch {
	case serve == nil:
		return fail(40066)
	case method == http.MethodGet && x.req.Method != method:
		return fail(43001)
	case x.req.Method != method:
		return fail(43002)
	}
	if x.endpoint == "token" || x.endpoint == "stable_token" {
		return serve()
	}
	if r := x.bearer(); r != nil {
		return r
	}
	return serve()
}

// route returns the endpoint's handler and the one method it takes.
func (x *exchange) route() (func() *reply, string) {
	switch x.endpoint {
	case "token":
		return x.classicToken, http.MethodGet
	case "stable_token":
		return x.stableToken, http.MethodPost
	case "user/info":
		x.openids = []string{x.req.URL.Query().Get("openid")}
		return x.userInfo, http.MethodGet
	case "user/info/batchget":
		gjson.Get(x.body, "user_list").ForEach(func(_, item gjson.Result) bool {
			x.openids = append(x.openids, item.Get("openid").Str)
			return true
		})
		return x.batchGet, http.MethodPost
	case "user/get":
		return x.userGet, http.MethodGet
	case "openapi/quota/get":
		return x.quotaGet, http.MethodPost
	case "clear_quota":
		return x.clearQuota, http.MethodPost
	}
	return nil, ""
}

// json checks that the body is a JSON object.
func (x *exchange) json() *reply {
	if x.body == "" {
		return fail(44002)
	}
	if !gjson.Valid(x.body) || !gjson.Parse(x.body).IsObject() {
		return fail(47001)
	}
	return nil
}

// enter notes whose call it is.
func (x *exchange) enter(a *Account) bool {
	if a == nil {
		return false
	}
	x.acc = a
	a.meter.enter()
	return true
}

// leave notes how the call ended; one that belongs to no account is not noted.
func (x *exchange) leave(r *reply) {
	if x.acc == nil {
		return
	}
	x.acc.meter.leave(Call{
		Time: x.now, Endpoint: x.endpoint, AppID: x.acc.cfg.AppID,
		OpenIDs: x.openids, Code: r.code, Status: r.status,
	})
}
