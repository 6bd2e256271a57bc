package events

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrSchema is in the error of a record of another schema than SchemaV1.
var ErrSchema = errors.New("unknown schema")

// DecodeRecord reads a record as a consumer gets it. Keys it does not know are
// passed over, at every level, since SchemaV1 may gain some; of the user they
// are kept in User.Raw, as is a known field that has not its usual type.
func DecodeRecord(data []byte, f Format) (Record, error) {
	s := string(data)
	var err error
	if f == JSON {
		err = checkJSON(data, maxRecordDepth)
	} else {
		err = checkMsgpack(s, maxRecordDepth)
	}
	if err != nil {
		return Record{}, fmt.Errorf("events: record in %s %w", f, err)
	}
	var r Record
	var schema string
	eachKey(f, s, func(key string, it item) bool {
		if key == "schema" {
			schema = it.string()
		}
		r.set(f, key, it)
		return true
	})
	if err := checkSchema(schema); err != nil {
		return Record{}, err
	}
	return r, nil
}

// ParseRecord reads a record's message: its body in the format that the
// Content-Type names, else in the one it looks like, and the headers that say
// more than the body.
func ParseRecord(h nats.Header, data []byte) (Record, error) {
	if schema := h.Get(HeaderSchema); schema != "" {
		if err := checkSchema(schema); err != nil {
			return Record{}, err
		}
	}
	f, ok := FormatOf(contentType(h))
	if !ok {
		switch sniff(data) {
		case mediaJSON:
			f = JSON
		case mediaMsgpack:
			f = Msgpack
		default:
			return Record{}, errors.New("events: record is neither JSON nor msgpack")
		}
	}
	r, err := DecodeRecord(data, f)
	if err != nil {
		return Record{}, err
	}
	if hop := h.Get(HeaderHop); hop != "" {
		if r.Hop, err = strconv.Atoi(hop); err != nil || r.Hop < 0 {
			return Record{}, fmt.Errorf("events: header %s: want a count", HeaderHop)
		}
	}
	return r, nil
}

func checkSchema(schema string) error {
	if schema != SchemaV1 {
		return fmt.Errorf("events: %w %q: want %s", ErrSchema, schema, SchemaV1)
	}
	return nil
}

func (r *Record) set(f Format, key string, it item) {
	switch key {
	case "id":
		r.Event.ID = it.string()
	case "appid":
		r.Event.AppID = it.string()
	case "openid":
		r.Event.OpenID = it.string()
	case "unionid":
		r.UnionID = it.string()
	case "status":
		r.Status = Status(it.string())
	case "lang":
		r.Lang = it.string()
	case "fetched_at":
		r.FetchedAt = it.recorded()
	case "source":
		r.Source = it.string()
	case "replay":
		r.Replay = it.string()
	case "marker":
		r.Marker = it.string()
	case "event":
		eachKey(f, it.raw, func(key string, it item) bool {
			r.Event.set(f, key, it)
			return true
		})
	case "user":
		r.User.read(f, it)
	}
}

func (e *Event) set(f Format, key string, it item) {
	switch key {
	case "type":
		e.Type = it.string()
	case "time":
		e.Time = it.recorded()
	case "stream":
		e.Source.Stream = it.string()
	case "seq":
		if it.kind == integer || it.kind == unsigned {
			e.Source.Seq = it.bits
		}
	case "subject":
		e.Source.Subject = it.string()
	case "stored_at":
		e.Source.Time = it.recorded()
	case "event_key":
		e.EventKey = it.string()
	case "scene":
		e.Scene = it.string()
	case "ticket":
		e.Ticket = it.string()
	case "meta":
		e.Meta = it.value(f)
	}
}

// recorded reads a time that a record's own encoder wrote.
func (it item) recorded() time.Time {
	t, err := time.Parse(time.RFC3339Nano, it.string())
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (u *User) read(f Format, it item) {
	if it.kind != object {
		return
	}
	u.Raw = it.value(f)
	eachKey(f, it.raw, func(key string, it item) bool {
		u.set(f, key, it)
		return true
	})
}

// set takes a field of WeChat's answer (api_userinfo, "Return value").
func (u *User) set(f Format, key string, it item) {
	switch key {
	case "subscribe":
		u.Subscribe = int(it.int())
	case "openid":
		u.OpenID = it.string()
	case "unionid":
		u.UnionID = it.string()
	case "nickname":
		u.Nickname = it.string()
	case "sex":
		u.Sex = int(it.int())
	case "language":
		u.Language = it.string()
	case "city":
		u.City = it.string()
	case "province":
		u.Province = it.string()
	case "country":
		u.Country = it.string()
	case "headimgurl":
		u.HeadImgURL = it.string()
	case "subscribe_time":
		u.SubscribeTime = it.int()
	case "remark":
		u.Remark = it.string()
	case "groupid":
		u.GroupID = it.int()
	case "tagid_list":
		u.TagIDs = it.ints(f)
	case "subscribe_scene":
		u.SubscribeScene = it.string()
	case "qr_scene":
		if n := it.int(); n >= 0 && n < 1<<32 {
			u.QRScene = uint32(n)
		}
	case "qr_scene_str":
		u.QRSceneStr = it.string()
	}
}

// ints is a list's integers; nil for anything that is no list of them.
func (it item) ints(f Format) []int64 {
	if it.kind != list {
		return nil
	}
	ns := []int64{}
	eachElement(f, it.raw, func(it item) {
		if it.kind == integer {
			ns = append(ns, int64(it.bits))
		}
	})
	return ns
}
