package events

import (
	"errors"
	"math"
	"unicode/utf8"
)

// maxDepth bounds how deep maps and lists may nest in a payload or a Value.
// A record nests its meta two levels deeper and is given room for it.
const (
	maxDepth       = 64
	maxRecordDepth = maxDepth + 4
)

var (
	errDeep      = errors.New("nested too deep")
	errTruncated = errors.New("ends in the middle of a value")
	errTrailing  = errors.New("has bytes after its value")
	errUTF8      = errors.New("holds invalid UTF-8")
	errCode      = errors.New("holds the one byte that msgpack never uses")
	errKey       = errors.New("has a map or list for a key")
)

// kind is the type of a value, in JSON's or msgpack's terms.
type kind uint8

const (
	absent kind = iota
	null
	boolean
	integer  // fits int64
	unsigned // above int64
	float
	text
	blob      // msgpack bin
	extension // msgpack ext
	list
	object
)

// token is the head of a msgpack value.
type token struct {
	kind kind
	bits uint64 // of a number: its two's complement or IEEE 754 form; of a boolean: 0 or 1
	n    int    // bytes of a text, blob or extension; elements of a list; pairs of an object
	ext  int8   // type of an extension
	next int    // where its content, or the next value, begins
}

// readToken reads the head of the value at s[i:]. Every length has been
// compared with the bytes that are left, so nobody allocates by a lie.
func readToken(s string, i int) (token, error) {
	if i >= len(s) {
		return token{}, errTruncated
	}
	c := s[i]
	i++
	t := token{next: i}
	switch {
	case c < mpFixMap: // positive fixint
		t.kind, t.bits = integer, uint64(c)
	case c >= mpNegFix:
		t.kind, t.bits = integer, uint64(int64(int8(c)))
	case c < mpFixArray:
		t.kind, t.n = object, int(c&15)
	case c < mpFixStr:
		t.kind, t.n = list, int(c&15)
	case c < mpNil:
		t.kind, t.n = text, int(c&31)
	case c == mpNil:
		t.kind = null
	case c == mpFalse || c == mpTrue:
		t.kind, t.bits = boolean, uint64(c&1)
	case c == mpNil+1:
		return t, errCode
	case c >= mpFixExt1 && c <= mpFixExt16:
		t.kind, t.n = extension, 1<<(c-mpFixExt1)
	default:
		f := wide[c-mpBin8]
		if len(s)-i < f.size {
			return t, errTruncated
		}
		var u uint64
		for range f.size {
			u = u<<8 | uint64(s[i])
			i++
		}
		t.kind, t.next = f.kind, i
		switch {
		case f.kind == integer && f.signed:
			shift := 64 - 8*f.size
			t.bits = uint64(int64(u<<shift) >> shift)
		case f.kind == integer && u > math.MaxInt64:
			t.kind, t.bits = unsigned, u
		case f.kind == integer:
			t.bits = u
		case c == mpFloat32:
			t.bits = math.Float64bits(float64(math.Float32frombits(uint32(u))))
		case f.kind == float:
			t.bits = u
		case u > uint64(len(s)):
			return t, errTruncated
		default:
			t.n = int(u)
		}
	}
	return t, t.checkLength(s)
}

func (t *token) checkLength(s string) error {
	left := len(s) - t.next
	switch t.kind {
	case text, blob, list:
		if t.n > left {
			return errTruncated
		}
	case object:
		if 2*t.n > left {
			return errTruncated
		}
	case extension:
		if t.n >= left { // one byte more, for its type
			return errTruncated
		}
		t.ext = int8(s[t.next])
		t.next++
	}
	return nil
}

// wide says what follows the codes from mpBin8 on: a number, or a length, of
// size bytes.
var wide = [...]struct {
	kind   kind
	size   int
	signed bool
}{
	0: {kind: blob, size: 1}, {kind: blob, size: 2}, {kind: blob, size: 4},
	mpExt8 - mpBin8: {kind: extension, size: 1}, {kind: extension, size: 2}, {kind: extension, size: 4},
	mpFloat32 - mpBin8: {kind: float, size: 4}, {kind: float, size: 8},
	mpUint8 - mpBin8: {kind: integer, size: 1}, {kind: integer, size: 2}, {kind: integer, size: 4}, {kind: integer, size: 8},
	mpInt8 - mpBin8: {integer, 1, true}, {integer, 2, true}, {integer, 4, true}, {integer, 8, true},
	mpStr8 - mpBin8: {kind: text, size: 1}, {kind: text, size: 2}, {kind: text, size: 4},
	mpArray16 - mpBin8: {kind: list, size: 2}, {kind: list, size: 4},
	mpMap16 - mpBin8: {kind: object, size: 2}, {kind: object, size: 4},
}

// checkMsgpack reports whether s is exactly one msgpack value, with every
// length true, every text valid UTF-8 and no more than depth levels. Nothing is
// allocated for it, and the rest of the package reads only what has passed.
//
// A map or list as a key is refused: as JSON text within JSON text its quotes
// would double in number at each level.
func checkMsgpack(s string, depth int) error {
	var left [maxRecordDepth]int // values still to come, per open level
	var maps [maxRecordDepth]bool
	level, i := 0, 0
	key := false
	for {
		t, err := readToken(s, i)
		if err != nil {
			return err
		}
		i = t.next
		n := 0
		switch t.kind {
		case text:
			if !utf8.ValidString(s[i : i+t.n]) {
				return errUTF8
			}
			i += t.n
		case blob, extension:
			i += t.n
		case list:
			n = t.n
		case object:
			n = 2 * t.n
		}
		if t.kind == list || t.kind == object {
			if key {
				return errKey
			}
			if level == depth {
				return errDeep
			}
			left[level], maps[level] = n, t.kind == object
			level++
		}
		for level > 0 && left[level-1] == 0 {
			level--
		}
		if level == 0 {
			break
		}
		key = maps[level-1] && left[level-1]%2 == 0
		left[level-1]--
	}
	if i != len(s) {
		return errTrailing
	}
	return nil
}

// skipMsgpack is where the value after the one at s[i:] begins, in a text that
// checkMsgpack has passed.
func skipMsgpack(s string, i int) int {
	for todo := 1; todo > 0; todo-- {
		t, err := readToken(s, i)
		if err != nil {
			return len(s)
		}
		i = t.next
		switch t.kind {
		case text, blob, extension:
			i += t.n
		case list:
			todo += t.n
		case object:
			todo += 2 * t.n
		}
	}
	return i
}
