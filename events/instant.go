package events

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// instant reads a point in time: RFC 3339, a msgpack timestamp, or a number,
// perhaps as text, of unix seconds or, from 1e11 on, milliseconds: the former
// would be the year 5138, the latter is 1973.
func (it item) instant() (time.Time, bool) {
	var t time.Time
	switch it.kind {
	case text:
		s := strings.TrimSpace(it.text)
		if len(s) > 4 && s[4] == '-' {
			parsed, err := time.Parse(time.RFC3339Nano, s)
			t = parsed.UTC()
			return t, err == nil && inCalendar(t)
		}
		if k, bits := jsonNumber(s); gjson.Valid(s) && k >= integer && k <= float {
			return item{kind: k, bits: bits}.instant()
		}
		return t, false
	case integer:
		n := int64(it.bits)
		if n >= 1e11 {
			t = time.UnixMilli(n)
		} else {
			t = time.Unix(n, 0)
		}
	case float:
		f := it.float()
		if f >= 1e11 {
			f /= 1000
		}
		if !(f > 0 && f < 1e12) { // NaN too
			return t, false
		}
		sec, frac := math.Modf(f)
		t = time.Unix(int64(sec), int64(math.Round(frac*1e6))*1000) // a float64 holds no more than µs
	case extension:
		var ok bool
		if t, ok = timestamp(it.ext, it.text); !ok {
			return t, false
		}
	default:
		return t, false
	}
	t = t.UTC()
	return t, inCalendar(t)
}

// inCalendar keeps to what RFC 3339 can write and what a follower can have
// done: after 1970, before the year 10000.
func inCalendar(t time.Time) bool { return t.Unix() > 0 && t.Year() < 10000 }

// timestamp reads msgpack's timestamp extension (type -1) in its three sizes.
func timestamp(ext int8, data string) (time.Time, bool) {
	if ext != -1 {
		return time.Time{}, false
	}
	b := []byte(data)
	switch len(b) {
	case 4:
		return time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC(), true
	case 8:
		u := binary.BigEndian.Uint64(b)
		return time.Unix(int64(u&(1<<34-1)), int64(u>>34)).UTC(), u>>34 < 1e9
	case 12:
		ns := binary.BigEndian.Uint32(b)
		t := time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(ns)).UTC()
		return t, ns < 1e9
	}
	return time.Time{}, false
}
