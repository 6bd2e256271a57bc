package wechat

import (
	"context"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

// Followers returns the page of openids that comes after the openid next, the
// first page when next is empty (api_getfans). The order is not chronological
// and the list not of one moment. The end is a page without openids: there is
// one such page even behind a short one, and Total moves.
func (c *Client) Followers(ctx context.Context, next string) (Page, error) {
	query := ""
	if next != "" { // an empty parameter has been refused as an invalid openid
		query = "&next_openid=" + url.QueryEscape(next)
	}
	var p Page
	_, err := c.data(ctx, call{
		method: http.MethodGet, op: "user/get", query: query,
	}, func(key string, value gjson.Result) {
		switch key {
		case "total":
			p.Total = integer(value)
		case "next_openid":
			p.Next = text(value)
		case "data":
			list := value.Get("openid")
			if !list.IsArray() {
				return
			}
			list.ForEach(func(_, openid gjson.Result) bool {
				p.OpenIDs = append(p.OpenIDs, text(openid))
				return true
			})
		}
	})
	if err != nil {
		return Page{}, err
	}
	return p, nil
}
