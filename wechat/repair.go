package wechat

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxDepth bounds the nesting of an answer: real ones have four levels, and the
// JSON readers here and at our callers recurse.
const maxDepth = 64

// checkBody returns a body that is a JSON object, as a string of its own. Two
// faults of the live service are mended: raw control characters inside string
// literals, and invalid UTF-8.
func checkBody(body []byte) (string, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "", errors.New("empty body")
	}
	var doc string
	if fault, deep := scan(body); deep {
		return "", errors.New("body nested too deeply")
	} else if fault {
		doc = strings.ToValidUTF8(string(repair(body)), "\uFFFD")
	} else {
		doc = string(body)
	}
	if !gjson.Valid(doc) {
		return "", errors.New("body is truncated or not JSON")
	}
	if !gjson.Parse(doc).IsObject() {
		return "", errors.New("body is not a JSON object")
	}
	return doc, nil
}

// The kinds of byte that scan stops at.
const (
	inert byte = iota
	control
	quote
	escape
	opener
	closer
)

var kinds = func() (k [256]byte) {
	for c := range 0x20 {
		k[c] = control
	}
	k['"'], k['\\'] = quote, escape
	k['{'], k['['] = opener, opener
	k['}'], k[']'] = closer, closer
	return k
}()

// scan looks for what repair mends and for nesting beyond maxDepth, which has
// to be known before any recursive reader sees the text.
func scan(body []byte) (fault, deep bool) {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch kinds[body[i]] {
		case opener:
			if depth++; depth > maxDepth {
				return fault, true
			}
		case closer:
			depth--
		case quote:
		literal:
			for i++; i < len(body); i++ {
				switch kinds[body[i]] {
				case quote:
					break literal
				case escape:
					if i+1 < len(body) && body[i+1] >= 0x20 {
						i++
					}
				case control:
					fault = true
				}
			}
		}
	}
	return fault || !utf8.Valid(body), false
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
