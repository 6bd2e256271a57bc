package wechat

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// cursor walks JSON that checkBody has found valid, which is why it looks at
// structure only. It reads each byte of a batch once; a general reader skips
// over the list, then over each row, then reads the fields.
type cursor struct {
	s string
	i int // of a value, or of the white space before it

	deep bool // raw has met a value nested beyond maxDepth
}

// space moves to the next byte that is not white space, a comma or a colon.
func (c *cursor) space() byte {
	for {
		switch c.s[c.i] {
		case ' ', '\t', '\n', '\r', ',', ':':
			c.i++
		default:
			return c.s[c.i]
		}
	}
}

// object calls f with each key of the object here; f consumes the value by
// object, list or raw, or leaves it. It consumes any other value.
func (c *cursor) object(f func(key string)) {
	if c.space() != '{' {
		c.raw()
		return
	}
	for c.i++; c.space() != '}'; {
		key := text(c.raw())
		c.space()
		at := c.i
		if f(key); c.i == at {
			c.raw()
		}
	}
	c.i++
}

// list calls f at each element of the list here; f consumes it. It reports
// whether it was a list and consumes any other value too.
func (c *cursor) list(f func()) bool {
	if c.space() != '[' {
		c.raw()
		return false
	}
	for c.i++; c.space() != ']'; {
		f()
	}
	c.i++
	return true
}

// raw consumes a value of any kind and returns its text.
func (c *cursor) raw() string {
	first := c.space()
	from := c.i
	switch first {
	case '"':
		c.literal()
	case '{', '[':
		depth := 0
		for {
			switch kinds[c.s[c.i]] {
			case quote:
				c.literal()
				continue
			case opener:
				if depth++; depth > maxDepth {
					c.deep = true
				}
			case closer:
				depth--
			}
			if c.i++; depth == 0 {
				return c.s[from:c.i]
			}
		}
	default:
		for c.i < len(c.s) && kinds[c.s[c.i]] != closer && c.s[c.i] != ',' && c.s[c.i] > ' ' {
			c.i++
		}
	}
	return c.s[from:c.i]
}

// literal consumes a string.
func (c *cursor) literal() {
	for c.i++; c.s[c.i] != '"'; c.i++ {
		if c.s[c.i] == '\\' {
			c.i++
		}
	}
	c.i++
}

// text returns the string that a raw value is, and a zero string for any other
// type.
func text(raw string) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if strings.IndexByte(raw, '\\') >= 0 {
		return gjson.Parse(raw).Str
	}
	return raw[1 : len(raw)-1]
}

// integer returns the whole number that a raw value is, sent as a number or as
// a string: errcode and scenes come as either. Anything else is zero.
func integer(raw string) int64 {
	if raw != "" && raw[0] == '"' {
		raw = text(raw)
	}
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0
	}
	return int64(f)
}
