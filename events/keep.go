package events

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Keep is an allow-list of what a record says: for those who must store less.
// What every record has (schema, id, appid, openid, status, fetched_at, replay,
// and of the event id, type, stream, seq, subject and stored_at) is kept
// always. A nil Keep keeps everything.
type Keep struct {
	names map[string]bool
}

// keepNames are the names that a Keep may have, besides user.<field>.
var keepNames = []string{
	"unionid", "lang", "source", "marker", "user",
	"event.time", "event.event_key", "event.scene", "event.ticket", "event.meta",
}

const keepUser = "user."

// ParseKeep reads an allow-list: keys such as unionid, event.meta, user for all
// that WeChat says of the person, or user.remark for one field of it, by
// WeChat's name. An empty list is a nil Keep.
func ParseKeep(list []string) (*Keep, error) {
	if len(list) == 0 {
		return nil, nil
	}
	k := &Keep{names: make(map[string]bool, len(list))}
	for _, name := range list {
		field, ofUser := strings.CutPrefix(name, keepUser)
		if !slices.Contains(keepNames, name) && !(ofUser && field != "" && badByte(field) < 0) {
			return nil, fmt.Errorf("events: no field %q to keep: want some of %s, or user.<field>", name, strings.Join(keepNames, ", "))
		}
		k.names[name] = true
	}
	return k, nil
}

// Apply takes from the record what is not to be kept. It changes no bytes that
// the record shares with others.
func (k *Keep) Apply(r *Record) {
	if k == nil {
		return
	}
	drop := func(name string, s *string) {
		if !k.names[name] {
			*s = ""
		}
	}
	drop("unionid", &r.UnionID)
	drop("lang", &r.Lang)
	drop("source", &r.Source)
	drop("marker", &r.Marker)
	drop("event.event_key", &r.Event.EventKey)
	drop("event.scene", &r.Event.Scene)
	drop("event.ticket", &r.Event.Ticket)
	if !k.names["event.time"] {
		r.Event.Time = Source{}.Time
	}
	if !k.names["event.meta"] {
		r.Event.Meta = Value{}
	}
	if !k.names["user"] {
		r.User = k.user(&r.User)
	}
}

// user is what is kept of u; its openid comes along if anything does, as every
// user has one.
func (k *Keep) user(u *User) (kept User) {
	raw, err := u.json()
	if err != nil {
		return *u // cannot be encoded, and so not be stored
	}
	b := []byte{'{'}
	some := false
	gjson.ParseBytes(raw).ForEach(func(key, value gjson.Result) bool {
		listed := k.names[keepUser+key.Str]
		some = some || listed
		if !listed && key.Str != "openid" {
			return true
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, key.Raw...), ':'), value.Raw...)
		return true
	})
	if !some {
		return User{}
	}
	kept.read(JSON, item{kind: object, raw: string(append(b, '}'))})
	return kept
}

// json is the user as an encoder would write it; an absent one is empty.
func (u *User) json() ([]byte, error) {
	if !u.Raw.IsZero() {
		return u.Raw.AppendJSON(nil)
	}
	if u.OpenID == "" {
		return nil, nil
	}
	w := mapWriter{codec: jsonCodec{}}
	top := w.open()
	u.write(&w)
	w.end(top)
	return w.b, w.err
}
