package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Value is a value of any shape in the encoding it arrived in, so that handing
// it through in that encoding changes nothing. The zero Value is absent. A
// Value is immutable, and safe for concurrent use.
//
// From one encoding to the other everything survives that both can say:
// integers of 64 bits stay exact, keys keep their order. What JSON lacks is
// written as text (bin and unknown extensions in base64, timestamps in RFC
// 3339, keys by their JSON) or null (NaN, infinities); a JSON number that
// neither 64-bit integer nor float64 can hold becomes nil.
type Value struct {
	json    []byte
	msgpack []byte
	fault   error // why the bytes it was made from are no value
}

// JSONValue makes a Value of JSON text, which it keeps and which must not be
// changed any more. Invalid UTF-8, which WeChat is known to send, becomes
// U+FFFD. From anything but one JSON value of at most 64 levels it makes a
// Value that nothing can be done with: its methods return the reason.
func JSONValue(raw []byte) Value {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	if err := checkJSON(raw, maxDepth); err != nil {
		return Value{fault: err}
	}
	return Value{json: raw}
}

// CheckedJSON is JSONValue for text of which the caller knows that it is one JSON
// value of at most 64 levels and all UTF-8, such as a row of WeChat's answer that
// was read already: it is not walked over once more. Of other text the methods of
// the Value make what they like, or panic.
func CheckedJSON(raw []byte) Value { return Value{json: raw} }

// MsgpackValue is JSONValue for msgpack, but for invalid UTF-8, which makes a
// Value that nothing can be done with.
func MsgpackValue(raw []byte) Value {
	if err := checkMsgpack(string(raw), maxDepth); err != nil {
		return Value{fault: err}
	}
	return Value{msgpack: raw}
}

var errAbsent = errors.New("absent")

// IsZero reports whether v is absent.
func (v Value) IsZero() bool { return v.json == nil && v.msgpack == nil && v.fault == nil }

// size is how many bytes v takes in its own encoding.
func (v Value) size() int { return len(v.json) + len(v.msgpack) }

func (v Value) check() error {
	switch {
	case v.fault != nil:
		return fmt.Errorf("events: value %w", v.fault)
	case v.IsZero():
		return fmt.Errorf("events: value %w", errAbsent)
	}
	return nil
}

// AppendJSON appends v as JSON. An absent Value is an error: whether that means
// null or no key at all is the caller's to say.
func (v Value) AppendJSON(b []byte) ([]byte, error) {
	if err := v.check(); err != nil {
		return b, err
	}
	if v.json != nil {
		return append(b, v.json...), nil
	}
	b, _ = jsonFromMsgpack(b, string(v.msgpack), 0)
	return b, nil
}

// AppendMsgpack appends v as msgpack. An absent Value is an error, as with
// AppendJSON.
func (v Value) AppendMsgpack(b []byte) ([]byte, error) {
	if err := v.check(); err != nil {
		return b, err
	}
	if v.msgpack != nil {
		return append(b, v.msgpack...), nil
	}
	b, _ = msgpackFromJSON(b, v.json, 0)
	return b, nil
}

// Decode reads v into what into points at, by its json tags whichever the
// encoding. An absent Value leaves it alone.
func (v Value) Decode(into any) error {
	switch {
	case v.IsZero():
		return nil
	case v.fault != nil:
		return v.check()
	case v.json != nil:
		if err := json.Unmarshal(v.json, into); err != nil {
			return fmt.Errorf("events: value: %w", err)
		}
		return nil
	}
	d := msgpack.NewDecoder(bytes.NewReader(v.msgpack))
	d.SetCustomStructTag("json")
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("events: value: %w", err)
	}
	return nil
}

// Equal reports whether v and w are the same bytes in the same encoding, or
// become the same JSON. It is what go-cmp compares Values by.
func (v Value) Equal(w Value) bool {
	if v.fault != nil || w.fault != nil {
		return false
	}
	if v.IsZero() || w.IsZero() {
		return v.IsZero() && w.IsZero()
	}
	if v.msgpack != nil && w.msgpack != nil {
		return bytes.Equal(v.msgpack, w.msgpack)
	}
	a, _ := v.AppendJSON(nil)
	b, _ := w.AppendJSON(nil)
	return bytes.Equal(a, b)
}

// MarshalJSON makes a Value usable in structs; an absent one is null.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.IsZero() {
		return []byte("null"), nil
	}
	return v.AppendJSON(nil)
}

// UnmarshalJSON keeps a copy of raw; null makes v absent.
func (v *Value) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*v = Value{}
		return nil
	}
	*v = JSONValue(bytes.Clone(raw))
	return v.fault
}
