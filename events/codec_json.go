package events

import (
	"strconv"
	"time"
	"unicode/utf8"
)

type jsonCodec struct{}

func (jsonCodec) openMap(b []byte) []byte                 { return append(b, '{') }
func (jsonCodec) closeMap(b []byte, _, _ int) []byte      { return append(b, '}') }
func (jsonCodec) text(b []byte, s string) []byte          { return appendJSONString(b, s) }
func (jsonCodec) integer(b []byte, n int64) []byte        { return strconv.AppendInt(b, n, 10) }
func (jsonCodec) unsigned(b []byte, n uint64) []byte      { return strconv.AppendUint(b, n, 10) }
func (jsonCodec) value(b []byte, v Value) ([]byte, error) { return v.AppendJSON(b) }

func (jsonCodec) key(b []byte, k string) []byte {
	if b[len(b)-1] != '{' { // no value ends in one
		b = append(b, ',')
	}
	b = append(append(b, '"'), k...) // our own names, nothing to escape
	return append(b, '"', ':')
}

func (jsonCodec) instant(b []byte, t time.Time, micros bool) []byte {
	return append(appendTime(append(b, '"'), t, micros), '"')
}

func (jsonCodec) integers(b []byte, ns []int64) []byte {
	b = append(b, '[')
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendJSONString quotes s. It escapes what JSON demands and nothing for
// HTML's sake; invalid UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[done:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = append(b, "\uFFFD"...)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		done = i
	}
	return append(append(b, s[done:]...), '"')
}
