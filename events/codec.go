package events

import "time"

// codec writes one encoding, append style. Whatever is written to both
// encodings is written through it, so the two cannot come to differ in a key.
// The implementations have no state: a call allocates nothing but the buffer.
type codec interface {
	openMap(b []byte) []byte
	closeMap(b []byte, start, n int) []byte // start: len(b) before openMap; n: keys written since
	key(b []byte, k string) []byte          // k is one of our own
	text(b []byte, s string) []byte
	instant(b []byte, t time.Time, micros bool) []byte
	integer(b []byte, n int64) []byte
	unsigned(b []byte, n uint64) []byte
	integers(b []byte, ns []int64) []byte
	value(b []byte, v Value) ([]byte, error)
}

func codecOf(f Format) codec {
	if f == JSON {
		return jsonCodec{}
	}
	return msgpackCodec{}
}

// appendTime writes RFC 3339 in UTC: with micros always six digits of fraction,
// so that texts sort as times do, else as many as there are.
func appendTime(b []byte, t time.Time, micros bool) []byte {
	t = t.UTC()
	if !micros {
		return t.AppendFormat(b, time.RFC3339Nano)
	}
	b = t.AppendFormat(b, time.RFC3339)
	us := t.Nanosecond() / 1000
	b[len(b)-1] = '.' // where the Z was
	for div := 100_000; div > 0; div /= 10 {
		b = append(b, byte('0'+us/div%10))
	}
	return append(b, 'Z')
}
