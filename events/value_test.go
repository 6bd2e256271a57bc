package events

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

func TestValueTranscodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ json, msgpack string }{
		{`null`, "\xc0"},
		{`true`, "\xc3"},
		{`false`, "\xc2"},
		{`0`, "\x00"},
		{`127`, "\x7f"},
		{`128`, "\xcc\x80"},
		{`65535`, "\xcd\xff\xff"},
		{`4294967295`, "\xce\xff\xff\xff\xff"}, // qr_scene is a uint32
		{`9223372036854775807`, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{`18446744073709551615`, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
		{`-1`, "\xff"},
		{`-32`, "\xe0"},
		{`-33`, "\xd0\xdf"},
		{`-129`, "\xd1\xff\x7f"},
		{`-32769`, "\xd2\xff\xff\x7f\xff"},
		{`-9223372036854775808`, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
		{`1.5`, "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"},
		{`"王"`, "\xa3王"},
		{`"a\"\\\n\u0001"`, "\xa5a\"\\\n\x01"},
		{`[]`, "\x90"},
		{`[1,[2],{}]`, "\x93\x01\x91\x02\x80"},
		{`{"a":{"b":[null]},"c":""}`, "\x82\xa1a\x81\xa1b\x91\xc0\xa1c\xa0"},
		{`[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]`, "\xdc\x00\x10\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
	} {
		v := JSONValue([]byte(tt.json))
		if got, err := v.AppendMsgpack([]byte("x")); err != nil || string(got) != "x"+tt.msgpack {
			t.Errorf("%s as msgpack = %q, %v, want %q", tt.json, got, err, "x"+tt.msgpack)
		}
		w := MsgpackValue([]byte(tt.msgpack))
		if got, err := w.AppendJSON([]byte("x")); err != nil || string(got) != "x"+tt.json {
			t.Errorf("%q as JSON = %s, %v, want x%s", tt.msgpack, got, err, tt.json)
		}
		if !v.Equal(w) || !w.Equal(v) || v.Equal(Value{}) {
			t.Errorf("Equal does not hold for %s and %q", tt.json, tt.msgpack)
		}
	}
}

func TestValueOneWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ msgpack, json string }{
		{"\xc4\x03\x00\xff\x01", `"AP8B"`},
		{"\xd6\xff\x65\x53\xf1\x00", `"2023-11-14T22:13:20Z"`},
		{"\xc7\x0c\xff\x00\x00\x00\x01\x00\x00\x00\x00\x65\x53\xf1\x00", `"2023-11-14T22:13:20.000000001Z"`},
		{"\xd4\x05\x2a", `"Kg=="`},
		{"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", `null`},
		{"\xca\x7f\x80\x00\x00", `null`},
		{"\xca\x3f\x00\x00\x00", `0.5`},
		{"\x84\x01\x01\xc3\x02\xc0\x03\xc4\x01a\x04", `{"1":1,"true":2,"null":3,"YQ==":4}`},
	} {
		if got, err := MsgpackValue([]byte(tt.msgpack)).AppendJSON(nil); err != nil || string(got) != tt.json {
			t.Errorf("%q as JSON = %s, %v, want %s", tt.msgpack, got, err, tt.json)
		}
	}
	for _, tt := range []struct{ json, msgpack string }{
		{` { "a" : [ 1 , 2 ] } `, "\x81\xa1a\x92\x01\x02"},
		{`"\ud83d\ude00\/"`, "\xa5😀/"},
		{`1e400`, "\xc0"},
		{`1e2`, "\xcb\x40\x59\x00\x00\x00\x00\x00\x00"},
		{`18446744073709551616`, "\xcb\x43\xf0\x00\x00\x00\x00\x00\x00"},
		{"\"a\xffb\"", "\xa5a\uFFFDb"},
	} {
		if got, err := JSONValue([]byte(tt.json)).AppendMsgpack(nil); err != nil || string(got) != tt.msgpack {
			t.Errorf("%s as msgpack = %q, %v, want %q", tt.json, got, err, tt.msgpack)
		}
	}
}

// Lengths of every width, read back by a decoder that is not ours.
func TestValueLarge(t *testing.T) {
	t.Parallel()
	for _, n := range []int{15, 16, 31, 32, 255, 256, 65535, 65536, 70000} {
		s := strings.Repeat("x", n)
		asJSON := `{"s":"` + s + `","l":[` + strings.Repeat("1,", n-1) + `1],"m":{`
		for i := range n {
			asJSON += `"` + strconv.Itoa(i) + `":0,`
			if i == 300 { // enough to need 16 bits
				break
			}
		}
		asJSON = strings.TrimSuffix(asJSON, ",") + `}}`
		b, err := JSONValue([]byte(asJSON)).AppendMsgpack(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			S string         `msgpack:"s"`
			L []int          `msgpack:"l"`
			M map[string]int `msgpack:"m"`
		}
		if err := msgpack.Unmarshal(b, &got); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if got.S != s || len(got.L) != n || len(got.M) != min(n, 301) {
			t.Errorf("%d: came back as %d bytes, %d elements, %d pairs", n, len(got.S), len(got.L), len(got.M))
		}
		if back, err := MsgpackValue(b).AppendJSON(nil); err != nil || string(back) != asJSON {
			t.Errorf("%d: JSON of it differs (%v)", n, err)
		}
	}
}

func TestValueInStruct(t *testing.T) {
	t.Parallel()
	type box struct {
		V Value `json:"v,omitzero"`
		W Value `json:"w"`
	}
	in := box{V: MsgpackValue([]byte("\x81\xa1a\x01"))}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"v":{"a":1},"w":null}` {
		t.Fatalf("Marshal = %s, %v", b, err)
	}
	var out box
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
}

func TestValueDecode(t *testing.T) {
	t.Parallel()
	type meta struct {
		N int64  `json:"n"`
		S string `json:"s,omitempty"`
	}
	want := meta{math.MaxInt64, "春"}
	v := JSONValue([]byte(`{"n":9223372036854775807,"s":"春","more":1}`))
	packed, err := v.AppendMsgpack(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Value{v, MsgpackValue(packed)} {
		var got meta
		if err := v.Decode(&got); err != nil || got != want {
			t.Errorf("Decode = %+v, %v, want %+v", got, err, want)
		}
		var wrong []int
		if err := v.Decode(&wrong); err == nil {
			t.Error("a map was decoded into a slice")
		}
	}
	untouched := want
	if err := (Value{}).Decode(&untouched); err != nil || untouched != want {
		t.Errorf("absent Decode = %+v, %v", untouched, err)
	}
}
