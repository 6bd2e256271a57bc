package events

import (
	"errors"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

var errSyntax = errors.New("is not valid JSON")

// checkJSON reports whether data is one JSON value of no more than depth
// levels and all UTF-8. The scan for depth comes first because gjson.Valid
// recurses. Nothing is allocated.
func checkJSON(data []byte, depth int) error {
	level, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if level++; level > depth {
				return errDeep
			}
		case c == '}' || c == ']':
			level--
		}
	}
	if !gjson.ValidBytes(data) {
		return errSyntax
	}
	if !utf8.Valid(data) {
		return errUTF8
	}
	return nil
}
