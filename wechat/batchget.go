package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

// BatchGet asks for 1 to [MaxBatch] people in one call of user/info/batchget
// (api_batchuserinfo). The rows come in WeChat's order, which is not promised
// to be that of qs; whether there is one row for each is for the caller to
// check. A row without an openid is returned with an empty one.
//
// One refused openid fails the whole call, with [BadOpenID] and no word on which
// it was. Send no openid twice: what WeChat does then is not known.
func (c *Client) BatchGet(ctx context.Context, qs []Query) ([]User, error) {
	const op = "user/info/batchget"
	if len(qs) == 0 || len(qs) > MaxBatch {
		return nil, &Error{Op: op, Class: Bug, Err: fmt.Errorf("%d openids, want 1 to %d", len(qs), MaxBatch)}
	}
	r := rowReader{brief: c.brief}
	found := false
	_, err := c.data(ctx, call{
		method: http.MethodPost, op: op, body: appendBatch(nil, qs), openids: len(qs),
	}, func(key string, c *cursor) {
		if key == "user_info_list" {
			found = r.list(c)
		}
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &Error{Op: op, Class: Transient, Status: http.StatusOK, Err: errors.New("no user_info_list in the answer")}
	}
	return r.users, nil
}

// UserInfo asks for one person through user/info (api_userinfo).
func (c *Client) UserInfo(ctx context.Context, q Query) (User, error) {
	const op = "user/info"
	query := "&openid=" + url.QueryEscape(q.OpenID)
	if q.Lang != "" {
		query += "&lang=" + url.QueryEscape(q.Lang)
	}
	var u User
	var r rowReader
	doc, err := c.data(ctx, call{
		method: http.MethodGet, op: op, query: query, openids: 1,
	}, func(key string, c *cursor) { r.field(&u, key, c) })
	if err != nil {
		return User{}, err
	}
	u.Raw = []byte(doc)
	return u, nil
}

// appendBatch appends the body of a batchget.
func appendBatch(b []byte, qs []Query) []byte {
	const perOpenID = len(`{"openid":"","lang":"zh_CN"},`) + 28
	if b == nil {
		b = make([]byte, 0, len(`{"user_list":[]}`)+len(qs)*perOpenID)
	}
	b = append(b, `{"user_list":[`...)
	for i, q := range qs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"openid":`...), q.OpenID)
		if q.Lang != "" {
			b = appendString(append(b, `,"lang":`...), q.Lang)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

// appendString appends s as a JSON string. Openids have nothing to escape.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return gjson.AppendJSONString(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
