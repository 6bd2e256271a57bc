package events

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// The first bytes of msgpack's types (the msgpack specification, "Formats").
const (
	mpFixMap   = 0x80 // low four bits: how many pairs
	mpFixArray = 0x90 // low four bits: how many elements
	mpFixStr   = 0xa0 // low five bits: how many bytes
	mpNil      = 0xc0
	mpFalse    = 0xc2
	mpTrue     = 0xc3
	mpBin8     = 0xc4
	mpExt8     = 0xc7
	mpFloat32  = 0xca
	mpFloat64  = 0xcb
	mpUint8    = 0xcc
	mpUint16   = 0xcd
	mpUint32   = 0xce
	mpUint64   = 0xcf
	mpInt8     = 0xd0
	mpInt16    = 0xd1
	mpInt32    = 0xd2
	mpInt64    = 0xd3
	mpFixExt1  = 0xd4
	mpFixExt16 = 0xd8
	mpStr8     = 0xd9
	mpStr16    = 0xda
	mpStr32    = 0xdb
	mpArray16  = 0xdc
	mpArray32  = 0xdd
	mpMap16    = 0xde
	mpMap32    = 0xdf
	mpNegFix   = 0xe0 // and above: -32 to -1
)

// isMapCode reports whether a msgpack value that begins with c is a map.
func isMapCode(c byte) bool { return c&0xf0 == mpFixMap || c == mpMap16 || c == mpMap32 }

// msgpackCodec writes every integer and length in its shortest form.
type msgpackCodec struct{}

func (msgpackCodec) openMap(b []byte) []byte                 { return append(b, 0) }
func (msgpackCodec) key(b []byte, k string) []byte           { return appendMsgpackString(b, k) }
func (msgpackCodec) text(b []byte, s string) []byte          { return appendMsgpackString(b, s) }
func (msgpackCodec) integer(b []byte, n int64) []byte        { return appendMsgpackInt(b, n) }
func (msgpackCodec) unsigned(b []byte, n uint64) []byte      { return appendMsgpackUint(b, n) }
func (msgpackCodec) value(b []byte, v Value) ([]byte, error) { return v.AppendMsgpack(b) }

func (msgpackCodec) closeMap(b []byte, start, n int) []byte {
	return closeMsgpack(b, start, n, mpFixMap, mpMap16)
}

func (msgpackCodec) instant(b []byte, t time.Time, micros bool) []byte {
	b = append(b, 0)
	start := len(b)
	b = appendTime(b, t, micros)
	if n := len(b) - start; n < 32 { // always, in years of four digits
		b[start-1] = mpFixStr | byte(n)
		return b
	}
	return appendMsgpackString(b[:start-1], string(b[start:]))
}

func (msgpackCodec) integers(b []byte, ns []int64) []byte {
	start := len(b)
	b = append(b, 0)
	for _, n := range ns {
		b = appendMsgpackInt(b, n)
	}
	return closeMsgpack(b, start, len(ns), mpFixArray, mpArray16)
}

// closeMsgpack writes the count of a map or array into the one byte that was
// kept free for it at start. A large one needs two or four bytes more, and
// what follows is moved: rarer than walking every container twice.
func closeMsgpack(b []byte, start, n int, fix, code16 byte) []byte {
	switch {
	case n < 16:
		b[start] = fix | byte(n)
	case n <= math.MaxUint16:
		b[start] = code16
		b = slices.Insert(b, start+1, byte(n>>8), byte(n))
	default:
		b[start] = code16 + 1
		b = slices.Insert(b, start+1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return b
}

func appendMsgpackString[T string | []byte](b []byte, s T) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, mpFixStr|byte(n))
	case n <= math.MaxUint8:
		b = append(b, mpStr8, byte(n))
	case n <= math.MaxUint16:
		b = append(b, mpStr16, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, mpStr32), uint32(n))
	}
	return append(b, s...)
}

func appendMsgpackInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendMsgpackUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, mpInt8, byte(n))
	case n >= math.MinInt16:
		return append(b, mpInt16, byte(n>>8), byte(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, mpInt32), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, mpInt64), uint64(n))
	}
}

func appendMsgpackUint(b []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, mpUint8, byte(n))
	case n <= math.MaxUint16:
		return append(b, mpUint16, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, mpUint32), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, mpUint64), n)
	}
}

func appendMsgpackFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, mpFloat64), math.Float64bits(f))
}
