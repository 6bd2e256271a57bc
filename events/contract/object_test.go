package contract

import (
	"bytes"
	"encoding/json"
	"testing"
)

// object is a JSON object whose keys keep their order, so that the documents
// read as they were written.
type object []member

type member struct {
	key   string
	value any
}

// with returns o with one member more.
func (o object) with(key string, value any) object {
	return append(o[:len(o):len(o)], member{key, value})
}

// MarshalJSON writes no escapes for HTML's sake.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{m.key, m.value} {
			if j == 1 {
				b.WriteByte(':')
			}
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// document is o as a file of its own.
func document(t *testing.T, o object) []byte {
	t.Helper()
	data, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(b.Bytes()), '\n')
}
