package wechat

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// cursor walks JSON and checks it on the way (RFC 8259), so that each byte of a
// batch is read once. Where it meets anything else it goes to the end and stays
// there: then it is bad, and so is all that was read.
type cursor struct {
	s string
	i int // of a value, or of the white space before it

	escaped bool // the latest string has a backslash in it

	bad  bool
	deep bool // it is bad because a value is nested beyond maxDepth
}

// read walks a document, which is a JSON object and nothing else, or the cursor is
// bad; f as for object.
func (c *cursor) read(f func(key string)) {
	if c.space() != '{' {
		c.fail()
		return
	}
	c.object(f)
	if c.space(); c.i < len(c.s) {
		c.fail()
	}
}

func (c *cursor) fail() { c.i, c.bad = len(c.s), true }

// space moves to the next byte that is not white space, and returns it; 0 at the
// end.
func (c *cursor) space() byte {
	for ; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// object calls f with each key of the object here; f consumes the value by
// object, list or raw, or leaves it. It consumes any other value.
func (c *cursor) object(f func(key string)) {
	if !c.enter('{', '}') {
		return
	}
	for more := true; more; more = c.more('}') {
		key := c.key()
		if c.escaped {
			key = text(key)
		} else if key != "" {
			key = key[1 : len(key)-1]
		}
		at := c.i
		if f(key); c.i == at {
			c.raw()
		}
	}
}

// list calls f at each element of the list here; f consumes it. It reports
// whether it was a list and consumes any other value too.
func (c *cursor) list(f func()) bool {
	if c.space() != '[' {
		c.raw()
		return false
	}
	if c.enter('[', ']') {
		for more := true; more; more = c.more(']') {
			f()
		}
	}
	return true
}

// enter moves into what begins with open, and reports whether there is something
// in it. If not, or if another value is here, that is consumed.
func (c *cursor) enter(open, end byte) bool {
	if c.space() != open {
		c.raw()
		return false
	}
	c.i++
	if c.space() == end {
		c.i++
		return false
	}
	return true
}

// more consumes what is behind an element, and reports whether another follows.
func (c *cursor) more(end byte) bool {
	switch c.space() {
	case ',':
		c.i++
		return true
	case end:
		c.i++
	default:
		c.fail()
	}
	return false
}

// key consumes a key and what is between it and its value; the key is raw.
func (c *cursor) key() (key string) {
	if c.space() != '"' {
		c.fail()
		return ""
	}
	key = c.literal()
	if c.space() != ':' {
		c.fail()
		return ""
	}
	c.i++
	c.space()
	return key
}

// raw consumes a value of any kind and returns its text.
func (c *cursor) raw() string {
	c.space()
	from := c.i
	if c.value(1); c.bad {
		return ""
	}
	return c.s[from:c.i]
}

// value consumes a value that is in so many others.
func (c *cursor) value(depth int) {
	switch open := c.space(); open {
	case '"':
		c.literal()
	case '{', '[':
		if depth > maxDepth {
			c.deep = true
			c.fail()
			return
		}
		end := open + 2 // "{}" and "[]" in ASCII
		if !c.enter(open, end) {
			return
		}
		for more := true; more; more = c.more(end) {
			if open == '{' {
				c.key()
			}
			c.value(depth + 1)
		}
	case 't':
		c.word("true")
	case 'f':
		c.word("false")
	case 'n':
		c.word("null")
	default:
		c.number()
	}
}

func (c *cursor) word(w string) {
	if !strings.HasPrefix(c.s[c.i:], w) {
		c.fail()
		return
	}
	c.i += len(w)
}

// literal consumes a string and returns it raw.
func (c *cursor) literal() string {
	c.escaped = false
	for i := c.i + 1; i < len(c.s); i++ {
		switch b := c.s[i]; {
		case plain[b]:
		case b == '"':
			raw := c.s[c.i : i+1]
			c.i = i + 1
			return raw
		case b == '\\':
			c.escaped = true
			i += escape(c.s[i:])
		default:
			i = len(c.s)
		}
	}
	c.fail()
	return ""
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (p [256]bool) {
	for b := 0x20; b < len(p); b++ {
		p[b] = b != '"' && b != '\\'
	}
	return p
}()

// escape is how many bytes belong to the backslash that s begins with; if it
// escapes nothing, all of s.
func escape(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(s) >= 6 && isHex(s[2]) && isHex(s[3]) && isHex(s[4]) && isHex(s[5]) {
			return 5
		}
	}
	return len(s)
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

// number consumes a number.
func (c *cursor) number() {
	c.skip('-', '-')
	if !c.skip('0', '0') && !c.digits() {
		c.fail()
		return
	}
	if c.skip('.', '.') && !c.digits() {
		c.fail()
		return
	}
	if c.skip('e', 'E') {
		c.skip('+', '-')
		if !c.digits() {
			c.fail()
		}
	}
}

// skip consumes one of two bytes, if it is here.
func (c *cursor) skip(a, b byte) bool {
	if c.i < len(c.s) && (c.s[c.i] == a || c.s[c.i] == b) {
		c.i++
		return true
	}
	return false
}

// digits consumes digits, and reports whether there is one.
func (c *cursor) digits() bool {
	from := c.i
	for c.i < len(c.s) && '0' <= c.s[c.i] && c.s[c.i] <= '9' {
		c.i++
	}
	return c.i > from
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
