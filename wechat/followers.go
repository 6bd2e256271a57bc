package wechat

import (
	"context"
	"net/http"
	"net/url"
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
	}, func(key string, c *cursor) {
		switch key {
		case "total":
			p.Total = integer(c.raw())
		case "next_openid":
			p.Next = text(c.raw())
		case "data":
			c.object(func(key string) {
				if key == "openid" {
					p.OpenIDs = nil
					c.list(func() { p.OpenIDs = append(p.OpenIDs, text(c.raw())) })
				}
			})
		}
	})
	if err != nil {
		return Page{}, err
	}
	return p, nil
}
