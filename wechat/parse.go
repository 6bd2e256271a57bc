package wechat

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"
)

// rowReader fills users from rows. Their strings are parts of the answer's one
// string, their tags and raw rows parts of one slice each: a batch of 100 costs
// a handful of allocations.
type rowReader struct {
	raw  []byte // a copy of the answer, so that Raw may be handed out
	tags []int64
}

// field sets one field of a user; a value of an unexpected type leaves it zero.
func (r *rowReader) field(u *User, key string, v gjson.Result) {
	switch key {
	case "subscribe":
		u.Subscribe = int(integer(v))
	case "openid":
		u.OpenID = text(v)
	case "unionid":
		u.UnionID = text(v)
	case "nickname":
		u.Nickname = text(v)
	case "sex":
		u.Sex = int(integer(v))
	case "language":
		u.Language = text(v)
	case "city":
		u.City = text(v)
	case "province":
		u.Province = text(v)
	case "country":
		u.Country = text(v)
	case "headimgurl":
		u.HeadImgURL = text(v)
	case "subscribe_time":
		u.SubscribeTime = integer(v)
	case "remark":
		u.Remark = text(v)
	case "groupid":
		u.GroupID = integer(v)
	case "tagid_list":
		u.TagIDs = r.integers(v)
	case "subscribe_scene":
		u.SubscribeScene = text(v)
	case "qr_scene":
		if n := integer(v); n >= 0 && n <= math.MaxUint32 {
			u.QRScene = uint32(n)
		}
	case "qr_scene_str":
		u.QRSceneStr = text(v)
	}
}

// integers returns the numbers of a list, nil for an empty one.
func (r *rowReader) integers(v gjson.Result) []int64 {
	if !v.IsArray() {
		return nil
	}
	from := len(r.tags)
	v.ForEach(func(_, n gjson.Result) bool {
		r.tags = append(r.tags, integer(n))
		return true
	})
	if len(r.tags) == from {
		return nil
	}
	return r.tags[from:len(r.tags):len(r.tags)]
}

// rows reads the list of a batch.
func (r *rowReader) rows(list gjson.Result) []User {
	users := make([]User, 0, MaxBatch)
	list.ForEach(func(_, row gjson.Result) bool {
		u := User{Raw: r.raw[row.Index : row.Index+len(row.Raw) : row.Index+len(row.Raw)]}
		if row.IsObject() {
			row.ForEach(func(key, value gjson.Result) bool {
				r.field(&u, key.Str, value)
				return true
			})
		}
		users = append(users, u)
		return true
	})
	return users
}

// text returns a string, and a zero string for any other type.
func text(v gjson.Result) string {
	if v.Type != gjson.String {
		return ""
	}
	return v.Str
}

// integer returns a whole number, sent as a number or as a string: errcode and
// scenes come as either. Anything else is zero.
func integer(v gjson.Result) int64 {
	digits := v.Raw
	switch v.Type {
	case gjson.String:
		digits = v.Str
	case gjson.Number:
	default:
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0
		}
		n = int64(f)
	}
	return n
}
