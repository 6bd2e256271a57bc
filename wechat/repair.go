package wechat

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxDepth bounds the nesting of a value in an answer: real ones have two
// levels, and readers at our callers recurse. The cursor enforces it.
const maxDepth = 64

// safeOpeners is how many levels the recursive validation may go down by all
// means; a batch of 100 has 202 openers, and no level without one.
const safeOpeners = 4096

// readBody returns a body that is a JSON object as a string of its own, having
// called field at each of its members. If the body has to be mended it begins anew
// with what has become of it.
func readBody(body []byte, field func(key string, c *cursor)) (doc string, err error) {
	c := &cursor{s: string(body)}
	each := func(key string) { field(key, c) }
	if utf8.Valid(body) {
		c.read(each)
	} else {
		c.fail()
	}
	if c.bad && !c.deep {
		if doc, err = checkBody(body); err != nil {
			return "", err
		}
		*c = cursor{s: doc}
		c.read(each)
	}
	switch {
	case c.deep:
		return "", errTooDeep
	case c.bad:
		return "", errNotJSON
	}
	return c.s, nil
}

// checkBody returns a body that is a JSON object, as a string of its own. Two
// faults of the live service are mended: raw control characters inside string
// literals, and invalid UTF-8.
func checkBody(body []byte) (string, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "", errors.New("empty body")
	}
	if bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) > safeOpeners && tooDeep(body) {
		return "", errTooDeep
	}
	doc := string(body)
	if !utf8.Valid(body) || !gjson.Valid(doc) {
		if doc = strings.ToValidUTF8(string(repair(body)), "\uFFFD"); !gjson.Valid(doc) {
			return "", errNotJSON
		}
	}
	if !gjson.Parse(doc).IsObject() {
		return "", errors.New("body is not a JSON object")
	}
	return doc, nil
}

var (
	errTooDeep = errors.New("body nested too deeply")
	errNotJSON = errors.New("body is truncated or not JSON")
)

// tooDeep reports whether a text, JSON or not, nests beyond safeOpeners.
func tooDeep(body []byte) bool {
	depth := 0
	inside := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inside = !inside
		case inside && c == '\\':
			i++
		case inside:
		case c == '{', c == '[':
			if depth++; depth > safeOpeners {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

const hex = "0123456789abcdef"

// repair writes raw control characters inside string literals as \u00XX, the
// one behind a backslash too, which then stands for itself. White space between
// values is left alone.
func repair(body []byte) []byte {
	out := make([]byte, 0, len(body)+len(body)/8+16)
	inside := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '"':
			inside = !inside
		case inside && c == '\\' && i+1 < len(body):
			if body[i+1] >= 0x20 {
				out = append(out, c)
				i++
				c = body[i]
			} else {
				continue // the backslash escapes nothing
			}
		case inside && c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			continue
		}
		out = append(out, c)
	}
	return out
}
