package wechat

import (
	"math"
	"unsafe"
)

// rowReader fills users from rows. Their strings are parts of the answer's one
// string, their tags and raw rows parts of one slice each: a batch of 100 costs
// a handful of allocations.
type rowReader struct {
	users []User
	spans [][2]int // of the rows in the answer
	tags  []int64
}

// field sets one field of a user from the value at the cursor; a value of an
// unexpected type leaves it zero, a field unknown here is left to the caller.
func (r *rowReader) field(u *User, key string, c *cursor) {
	switch key {
	case "subscribe":
		u.Subscribe = int(integer(c.raw()))
	case "openid":
		u.OpenID = text(c.raw())
	case "unionid":
		u.UnionID = text(c.raw())
	case "nickname":
		u.Nickname = text(c.raw())
	case "sex":
		u.Sex = int(integer(c.raw()))
	case "language":
		u.Language = text(c.raw())
	case "city":
		u.City = text(c.raw())
	case "province":
		u.Province = text(c.raw())
	case "country":
		u.Country = text(c.raw())
	case "headimgurl":
		u.HeadImgURL = text(c.raw())
	case "subscribe_time":
		u.SubscribeTime = integer(c.raw())
	case "remark":
		u.Remark = text(c.raw())
	case "groupid":
		u.GroupID = integer(c.raw())
	case "tagid_list":
		u.TagIDs = r.integers(c)
	case "subscribe_scene":
		u.SubscribeScene = text(c.raw())
	case "qr_scene":
		if n := integer(c.raw()); n >= 0 && n <= math.MaxUint32 {
			u.QRScene = uint32(n)
		}
	case "qr_scene_str":
		u.QRSceneStr = text(c.raw())
	}
}

// integers consumes a list of numbers; it returns nil for an empty one.
func (r *rowReader) integers(c *cursor) []int64 {
	from := len(r.tags)
	c.list(func() { r.tags = append(r.tags, integer(c.raw())) })
	if len(r.tags) == from {
		return nil
	}
	return r.tags[from:len(r.tags):len(r.tags)]
}

// list consumes the list of a batch, and reports whether it is one.
func (r *rowReader) list(c *cursor) bool {
	r.users = make([]User, 0, MaxBatch)
	r.spans = make([][2]int, 0, MaxBatch)
	r.tags = nil
	var u *User
	set := func(key string) { r.field(u, key, c) }
	return c.list(func() {
		r.users = append(r.users, User{})
		u = &r.users[len(r.users)-1]
		c.space()
		from := c.i
		c.object(set)
		r.spans = append(r.spans, [2]int{from, c.i})
	})
}

// rows returns the users of the list, with their raw rows: parts of the answer,
// cut so that appending to one leaves its neighbour alone. They are in the same
// memory as the strings, a copy would be half of what an answer takes; hence
// nobody may write to them.
func (r *rowReader) rows(doc string) []User {
	raw := unsafe.Slice(unsafe.StringData(doc), len(doc))
	for i, s := range r.spans {
		r.users[i].Raw = raw[s[0]:s[1]:s[1]]
	}
	return r.users
}
