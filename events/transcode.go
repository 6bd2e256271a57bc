package events

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// msgpackFromJSON appends the JSON value at s[i:] as msgpack, in one walk, and
// says where it ends. s has passed checkJSON.
//
// An integer of up to 64 bits stays exact; a number with a fraction or
// exponent, or one larger than that, becomes a float64, and one that float64
// cannot hold becomes nil.
func msgpackFromJSON(b, s []byte, i int) ([]byte, int) {
	i = skipSpace(s, i)
	switch c := s[i]; c {
	case '{', '[':
		start, n := len(b), 0
		b = append(b, 0)
		for i++; ; n++ {
			i = skipSpace(s, i)
			switch s[i] {
			case ',':
				i = skipSpace(s, i+1)
			case '}':
				return closeMsgpack(b, start, n, mpFixMap, mpMap16), i + 1
			case ']':
				return closeMsgpack(b, start, n, mpFixArray, mpArray16), i + 1
			}
			if c == '{' {
				b, i = msgpackFromString(b, s, i)
				i = skipSpace(s, i) + 1 // the colon
			}
			b, i = msgpackFromJSON(b, s, i)
		}
	case '"':
		return msgpackFromString(b, s, i)
	case 't':
		return append(b, mpTrue), i + len("true")
	case 'f':
		return append(b, mpFalse), i + len("false")
	case 'n':
		return append(b, mpNil), i + len("null")
	}
	end := i
	for end < len(s) && (s[end] == '-' || s[end] == '+' || s[end] == '.' || s[end]|0x20 == 'e' || '0' <= s[end] && s[end] <= '9') {
		end++
	}
	return msgpackFromNumber(b, s[i:end]), end
}

func skipSpace(s []byte, i int) int {
	for i < len(s) && s[i] <= ' ' {
		i++
	}
	return i
}

func msgpackFromString(b, s []byte, i int) ([]byte, int) {
	start, end := i+1, i+1
	escaped := false
	for s[end] != '"' {
		if s[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if escaped {
		return appendMsgpackString(b, gjson.Parse(string(s[i:end+1])).Str), end + 1
	}
	return appendMsgpackString(b, s[start:end]), end + 1
}

func msgpackFromNumber(b, s []byte) []byte {
	if n, ok := shortInteger(s); ok {
		return appendMsgpackInt(b, n)
	}
	switch k, bits := jsonNumber(string(s)); k {
	case integer:
		return appendMsgpackInt(b, int64(bits))
	case unsigned:
		return appendMsgpackUint(b, bits)
	default:
		f := math.Float64frombits(bits)
		if math.IsInf(f, 0) {
			return append(b, mpNil)
		}
		return appendMsgpackFloat(b, f)
	}
}

// shortInteger reads the common number, which is no fraction and cannot
// overflow, without making a string of it.
func shortInteger(s []byte) (n int64, ok bool) {
	if len(s) > 18 {
		return 0, false
	}
	digits := bytes.TrimPrefix(s, []byte("-"))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}

// jsonFromMsgpack appends the msgpack value at s[i:] as JSON and says where it
// ends. s has passed checkMsgpack.
//
// What JSON lacks is written thus: bin and unknown extensions as base64 text,
// a timestamp as RFC 3339, NaN and the infinities as null, a key that is not
// text as the text of its JSON.
func jsonFromMsgpack(b []byte, s string, i int) ([]byte, int) {
	t, err := readToken(s, i)
	if err != nil {
		return append(b, "null"...), len(s)
	}
	i = t.next
	switch t.kind {
	case null:
		b = append(b, "null"...)
	case boolean:
		b = strconv.AppendBool(b, t.bits == 1)
	case integer:
		b = strconv.AppendInt(b, int64(t.bits), 10)
	case unsigned:
		b = strconv.AppendUint(b, t.bits, 10)
	case float:
		b = appendJSONFloat(b, math.Float64frombits(t.bits))
	case text:
		b = appendJSONString(b, s[i:i+t.n])
		i += t.n
	case blob, extension:
		b = append(b, '"')
		if at, ok := timestamp(t.ext, s[i:i+t.n]); ok && t.kind == extension && at.Year() >= 0 && at.Year() < 10000 {
			b = at.AppendFormat(b, time.RFC3339Nano)
		} else {
			b = base64.StdEncoding.AppendEncode(b, []byte(s[i:i+t.n]))
		}
		b = append(b, '"')
		i += t.n
	case list:
		b = append(b, '[')
		for k := range t.n {
			if k > 0 {
				b = append(b, ',')
			}
			b, i = jsonFromMsgpack(b, s, i)
		}
		b = append(b, ']')
	case object:
		b = append(b, '{')
		for k := range t.n {
			if k > 0 {
				b = append(b, ',')
			}
			start := len(b)
			b, i = jsonFromMsgpack(b, s, i)
			if b[start] != '"' {
				b = appendJSONString(b[:start], string(b[start:]))
			}
			b = append(b, ':')
			b, i = jsonFromMsgpack(b, s, i)
		}
		b = append(b, '}')
	}
	return b, i
}

// appendJSONFloat writes f as JavaScript would: whole numbers without an
// exponent up to 1e21.
func appendJSONFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(b, f, form, -1, 64)
}
