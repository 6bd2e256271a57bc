package events

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestHostilePayloads wants a rejection, and no more memory than a small
// multiple of what was sent. It is not parallel: it measures the whole process.
func TestHostilePayloads(t *testing.T) {
	const kib = 1 << 10
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">` +
		`<!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">` +
		`<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">]>` +
		`<xml><FromUserName>&lol2;</FromUserName></xml>`
	d := &Decoder{AppID: testAppID}
	for _, tt := range []struct {
		name, data string
	}{
		{"brackets", strings.Repeat("[", 256*kib)},
		{"braces", strings.Repeat(`{"a":`, 50*kib)},
		{"deep but closed JSON", `{"meta":` + strings.Repeat("[", 100*kib) + strings.Repeat("]", 100*kib) + `}`},
		{"map of 4 G pairs", "\xdf\xff\xff\xff\xff"},
		{"map of as many pairs as bytes", "\xdf\x00\x03\x00\x00" + strings.Repeat("\xc0", 250*kib)},
		{"list of 4 G in meta", "\x82\xa6openid\xbc" + testOpenID + "\xa4meta\xdd\xff\xff\xff\xff"},
		{"text of 4 G", "\x81\xa6openid\xdb\xff\xff\xff\xff"},
		{"bin of 4 G", "\x81\xa6openid\xc6\xff\xff\xff\xffx"},
		{"extension of 4 G", "\x81\xa6openid\xc9\xff\xff\xff\xff\x01"},
		{"deep msgpack", strings.Repeat("\x81\xa1a", 80*kib)},
		{"1 MiB of XML", "<xml>" + strings.Repeat("<a>b</a>", 128*kib) + "</xml>"},
		{"deep XML", strings.Repeat("<xml>", 50*kib)},
		{"deep closed XML", "<xml>" + strings.Repeat("<a>", 30*kib) + strings.Repeat("</a>", 30*kib) + "</xml>"},
		{"wide XML", "<xml>" + strings.Repeat("<a></a>", 30*kib) + "</xml>"},
		{"XML of attributes", "<xml " + strings.Repeat(`a="" `, 50*kib) + "></xml>"},
		{"billion laughs", laughs},
		{"invalid UTF-8", strings.Repeat("\xff", 256*kib)},
		{"invalid UTF-8 in JSON", `{"openid":"` + strings.Repeat("\xff", 255*kib) + `"}`},
		{"escapes", `{"openid":"` + strings.Repeat(`\u0000`, 42*kib) + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Message{Source: testSource(), Data: []byte(tt.data)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := d.Decode(m)
			runtime.ReadMemStats(&after)
			if _, ok := errors.AsType[*Rejection](err); !ok {
				t.Errorf("error %v, want a rejection", err)
			}
			// Fifty times is what encoding/xml makes of attributes.
			limit := uint64(64*kib + 64*len(tt.data))
			if got := after.TotalAlloc - before.TotalAlloc; got > limit {
				t.Errorf("allocated %d bytes for a payload of %d, want at most %d", got, len(tt.data), limit)
			}
		})
	}
}

// A Value that passes its constructor is bounded in depth, so that neither
// transcoder can exhaust the stack, nor quotes double at each level.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]Value{
		"JSON too deep":    JSONValue([]byte(strings.Repeat("[", 65) + strings.Repeat("]", 65))),
		"JSON not":         JSONValue([]byte("{")),
		"JSON empty":       JSONValue(nil),
		"msgpack too deep": MsgpackValue([]byte(strings.Repeat("\x91", 65) + "\xc0")),
		"msgpack cut":      MsgpackValue([]byte("\x92\x01")),
		"msgpack keys":     MsgpackValue([]byte("\x81\x81\x01\x01\x01")),
	} {
		if v.IsZero() {
			t.Errorf("%s: absent, want a fault", name)
		}
		if b, err := v.AppendJSON(nil); err == nil {
			t.Errorf("%s: AppendJSON = %q, want an error", name, b)
		}
		r := testRecord()
		r.Event.Meta = v
		if _, err := r.Append(nil, Msgpack); err == nil {
			t.Errorf("%s: a record of it was written", name)
		}
	}
}
