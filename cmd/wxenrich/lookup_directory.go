package main

import (
	"context"
	"errors"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// directory asks WeChat and collects what it says. It is for one goroutine.
type directory struct {
	client      *wechat.Client
	appid, lang string

	found   []events.Record
	refused []refusal
}

// refusal is an openid that WeChat does not take.
type refusal struct {
	openid string
	err    *wechat.Error
}

// ask asks for up to a hundred openids in one call, or for each alone when one
// of them spoils the call: 40003 does not say which.
func (d *directory) ask(ctx context.Context, openids []string) error {
	asked := time.Now()
	queries := make([]wechat.Query, len(openids))
	for i, openid := range openids {
		queries[i] = wechat.Query{OpenID: openid, Lang: d.lang}
	}
	var users []wechat.User
	err := d.fresh(func() (err error) {
		users, err = d.client.BatchGet(ctx, queries)
		return err
	})
	switch {
	case wechat.ClassOf(err) == wechat.BadOpenID:
		return d.singly(ctx, queries)
	case err != nil:
		return err
	}
	byOpenID := make(map[string]wechat.User, len(users))
	for _, u := range users {
		byOpenID[u.OpenID] = u // never by position: nobody promises an order
	}
	for _, openid := range openids {
		if u, ok := byOpenID[openid]; ok {
			if err := d.keep(u, asked, events.FromBatch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *directory) singly(ctx context.Context, queries []wechat.Query) error {
	for _, q := range queries {
		asked := time.Now()
		var u wechat.User
		err := d.fresh(func() (err error) {
			u, err = d.client.UserInfo(ctx, q)
			return err
		})
		refused, ok := errors.AsType[*wechat.Error](err)
		switch {
		case ok && (refused.Class == wechat.BadOpenID || refused.Class == wechat.NotFollowing):
			d.refused = append(d.refused, refusal{q.OpenID, refused})
		case err != nil:
			return err
		default:
			if err := d.keep(u, asked, events.FromSingle); err != nil {
				return err
			}
		}
	}
	return nil
}

// fresh makes a call once more when its token was stale: the client has
// forgotten that one.
func (d *directory) fresh(call func() error) error {
	err := call()
	if wechat.ClassOf(err) == wechat.StaleToken {
		return call()
	}
	return err
}

// keep makes the record that an event with this openid would become. It is read
// back from its encoding, since that is what gives WeChat's fields their names.
func (d *directory) keep(u wechat.User, asked time.Time, source string) error {
	r := events.Record{
		Event:     events.Event{AppID: d.appid, OpenID: u.OpenID},
		UnionID:   u.UnionID,
		Status:    events.NotFollowing,
		Lang:      d.lang,
		FetchedAt: asked,
		Source:    source,
		User:      events.User{Raw: events.JSONValue(u.Raw)},
	}
	if u.Subscribe == 1 {
		r.Status = events.Following
	}
	data, err := r.Append(nil, events.JSON)
	if err != nil {
		return err
	}
	r, err = events.DecodeRecord(data, events.JSON)
	d.found = append(d.found, r)
	return err
}
