package wechat

import (
	"math"
	"sync"
	"unsafe"
)

// rowReader fills users from rows. Their strings and raw rows are parts of the
// answer's one string, their tags parts of one slice: a batch of 100 costs a
// handful of allocations.
type rowReader struct {
	users []User
	tags  []int64
	brief bool // see [Config]
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
	case "subscribe_time":
		u.SubscribeTime = integer(c.raw())
	default:
		if !r.brief {
			r.further(u, key, c)
		}
	}
}

// further is field for those that a brief reader leaves in the raw row.
func (r *rowReader) further(u *User, key string, c *cursor) {
	switch key {
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
	r.users, r.tags = (*batches.Get().(*[MaxBatch]User))[:0], nil
	var u *User
	set := func(key string) { r.field(u, key, c) }
	return c.list(func() {
		r.users = append(r.users, User{})
		u = &r.users[len(r.users)-1]
		c.space()
		from := c.i
		c.object(set)
		u.Raw = part(c.s, from, c.i)
	})
}

// part is a part of an answer, cut so that appending to it leaves what is behind it
// alone. It is in the same memory as the strings, a copy would be half of what an
// answer takes; hence nobody may write to it.
func part(doc string, from, to int) []byte {
	return unsafe.Slice(unsafe.StringData(doc), len(doc))[from:to:to]
}

// batches are rows of batches that nobody uses any more.
var batches = sync.Pool{New: func() any { return new([MaxBatch]User) }}

// Recycle gives the memory of rows that [Client.BatchGet] returned to a later call:
// a third of what one takes. Nobody may use the rows after that, nor a pointer to
// one; what is in them, their strings and Raw, stays as it is.
func Recycle(users []User) {
	if cap(users) == MaxBatch {
		users = users[:MaxBatch]
		clear(users)
		batches.Put((*[MaxBatch]User)(users))
	}
}
