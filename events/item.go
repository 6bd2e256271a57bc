package events

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// item is a value inside a payload or record, in whichever encoding: the one
// reading of a key that both share.
type item struct {
	kind kind
	text string // of a text
	bits uint64 // as in token
	ext  int8   // type of an extension; its bytes are text
	raw  string // the value as it stands, to be read further with eachKey
}

// eachKey calls visit for the pairs of the map raw, until visit returns false.
// raw must have passed checkJSON or checkMsgpack. Keys that are not text are
// left out. The strings it hands over share raw's memory.
func eachKey(f Format, raw string, visit func(key string, it item) bool) {
	if f == JSON {
		gjson.Parse(raw).ForEach(func(key, value gjson.Result) bool {
			return visit(key.Str, jsonItem(value))
		})
		return
	}
	t, err := readToken(raw, 0)
	if err != nil || t.kind != object {
		return
	}
	for i, pair := t.next, 0; pair < t.n; pair++ {
		key, after := msgpackItem(raw, i)
		it, end := msgpackItem(raw, after)
		i = end
		if key.kind == text && !visit(key.text, it) {
			return
		}
	}
}

// eachElement is eachKey for a list.
func eachElement(f Format, raw string, visit func(it item)) {
	if f == JSON {
		gjson.Parse(raw).ForEach(func(_, value gjson.Result) bool {
			visit(jsonItem(value))
			return true
		})
		return
	}
	t, err := readToken(raw, 0)
	if err != nil {
		return
	}
	for i, n := t.next, 0; n < t.n; n++ {
		it, end := msgpackItem(raw, i)
		visit(it)
		i = end
	}
}

// lookup follows a path of keys, separated by dots.
func lookup(f Format, raw, path string) (found item) {
	for path != "" {
		var head string
		head, path, _ = strings.Cut(path, ".")
		found = item{}
		eachKey(f, raw, func(key string, it item) bool {
			if key == head {
				found = it
			}
			return found.kind == absent
		})
		if found.kind != object {
			break
		}
		raw = found.raw
	}
	if path != "" {
		return item{}
	}
	return found
}

func jsonItem(r gjson.Result) item {
	it := item{raw: r.Raw}
	switch r.Type {
	case gjson.Null:
		it.kind = null
	case gjson.True:
		it.kind, it.bits = boolean, 1
	case gjson.False:
		it.kind = boolean
	case gjson.String:
		it.kind, it.text = text, r.Str
	case gjson.Number:
		it.kind, it.bits = jsonNumber(r.Raw)
	case gjson.JSON:
		it.kind = list
		if r.IsObject() {
			it.kind = object
		}
	}
	return it
}

// jsonNumber reads a number as exactly as 64 bits can: a literal without a
// fraction or exponent is an integer.
func jsonNumber(s string) (kind, uint64) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return integer, uint64(n)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return unsigned, n
		}
	}
	x, _ := strconv.ParseFloat(s, 64) // beyond its range: an infinity
	return float, math.Float64bits(x)
}

// msgpackItem reads the value at s[i:] and says where the next one begins.
func msgpackItem(s string, i int) (item, int) {
	t, err := readToken(s, i)
	if err != nil {
		return item{}, len(s)
	}
	it := item{kind: t.kind, bits: t.bits, ext: t.ext}
	end := t.next
	switch t.kind {
	case text, blob, extension:
		end += t.n
		it.text = s[t.next:end]
	case list, object:
		end = skipMsgpack(s, i)
	}
	it.raw = s[i:end]
	return it, end
}

func (it item) missing() bool { return it.kind == absent || it.kind == null }

func (it item) float() float64 { return math.Float64frombits(it.bits) }

// value keeps the item for handing through.
func (it item) value(f Format) Value {
	if it.missing() {
		return Value{}
	}
	if f == JSON {
		return Value{json: []byte(it.raw)}
	}
	return Value{msgpack: []byte(it.raw)}
}

// string is the text, or "" for any other type.
func (it item) string() string {
	if it.kind == text {
		return it.text
	}
	return ""
}

// int is the integer, or 0 for anything that is not one. A float that stands
// for an integer counts: some producers have no other numbers.
func (it item) int() int64 {
	switch it.kind {
	case integer:
		return int64(it.bits)
	case float:
		if f := it.float(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f)
		}
	}
	return 0
}
