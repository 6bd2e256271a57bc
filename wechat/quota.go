package wechat

import (
	"context"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
)

// Quota is how often a path may be called. The counts are exact to about 1 %
// (API_Call_Limits); limits that WeChat did not state are zero.
type Quota struct {
	Daily, Used, Remain int64 // calls of this day

	Rate int64         // calls in every Per
	Per  time.Duration // the span of Rate
}

// Quota asks for the quota of a path such as "/cgi-bin/user/info/batchget"
// (api_getapiquota). It cannot fail an account: a refusal, 76021 or 76022,
// only means that the quota stays unknown.
func (c *Client) Quota(ctx context.Context, path string) (Quota, error) {
	body := append(appendString([]byte(`{"cgi_path":`), path), '}')
	var q Quota
	_, err := c.data(ctx, call{
		method: http.MethodPost, op: "openapi/quota/get", body: body,
	}, func(key string, c *cursor) {
		switch key {
		case "quota":
			value := gjson.Parse(c.raw())
			q.Daily = integer(value.Get("daily_limit").Raw)
			q.Used = integer(value.Get("used").Raw)
			q.Remain = integer(value.Get("remain").Raw)
		case "rate_limit":
			value := gjson.Parse(c.raw())
			q.Rate = integer(value.Get("call_count").Raw)
			q.Per = time.Duration(integer(value.Get("refresh_second").Raw)) * time.Second
		}
	})
	if err != nil {
		return Quota{}, err
	}
	return q, nil
}
