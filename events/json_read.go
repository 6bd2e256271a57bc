package events

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

var errSyntax = errors.New("is malformed")

// checkJSON reports whether data is one JSON value of no more than depth
// levels and all UTF-8. Depth comes first because gjson.Valid recurses; most
// payloads have fewer brackets than levels are allowed, which is quick to
// count. Nothing is allocated.
func checkJSON(data []byte, depth int) error {
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) > depth && jsonDepth(data) > depth {
		return errDeep
	}
	if !gjson.ValidBytes(data) {
		return errSyntax
	}
	if !utf8.Valid(data) {
		return errUTF8
	}
	return nil
}

// jsonDepth is how deep data nests at most, if it is valid.
func jsonDepth(data []byte) (deepest int) {
	level, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}
