package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// fullRecord has every key there is.
func fullRecord() Record {
	r := testRecord()
	r.Replay = "r20260301a"
	r.Event.Ticket = "gQFs8Dw"
	r.Event.Meta = JSONValue([]byte(`{"campaign":"春","n":18446744073709551615}`))
	return r
}

// read is what a consumer finds in the user of testUser.
func read(r Record) Record {
	raw := r.User.Raw
	r.User = User{
		Subscribe: 1, OpenID: testOpenID, UnionID: r.UnionID, Language: "zh_CN", SubscribeTime: 1700000123,
		Remark: "重要客户 王", GroupID: 2, TagIDs: []int64{128, 2}, SubscribeScene: "ADD_SCENE_QR_CODE",
		QRScene: math.MaxUint32, QRSceneStr: "活动", Raw: raw,
	}
	return r
}

func TestRecordGolden(t *testing.T) {
	t.Parallel()
	r := fullRecord()
	for _, f := range []Format{JSON, Msgpack} {
		got, err := r.Append([]byte("kept"), f)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := bytes.CutPrefix(got, []byte("kept"))
		if !ok {
			t.Errorf("%s: Append overwrote what was there", f)
		}
		file := filepath.Join("testdata", "record."+string(f)+".golden")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
		back, err := DecodeRecord(want, f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read(fullRecord()), back); diff != "" {
			t.Errorf("%s decoded (-want +got):\n%s", f, diff)
		}
	}
}

// Both encodings say the same to a decoder that is not ours.
func TestRecordSameKeys(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Record{
		"full":         fullRecord(),
		"no raw":       {Event: Event{ID: "1", OpenID: testOpenID}, User: User{Subscribe: 1, OpenID: testOpenID, TagIDs: []int64{-1, 300}, QRScene: 1, Remark: `"`}},
		"not followed": {Event: Event{ID: "1"}, Status: NotFollowing, User: User{OpenID: testOpenID}},
		"unsubscribed": {Event: Event{ID: "1"}, Status: Unsubscribed},
		"zero":         {},
	} {
		asJSON, err := r.Append(nil, JSON)
		if err != nil {
			t.Fatal(err)
		}
		asMsgpack, err := r.Append(nil, Msgpack)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON, fromMsgpack any
		if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
			t.Fatalf("%s: %v in %s", name, err, asJSON)
		}
		if err := msgpack.Unmarshal(asMsgpack, &fromMsgpack); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(fmt.Sprint(fromJSON), fmt.Sprint(floats(fromMsgpack))); diff != "" {
			t.Errorf("%s (-JSON +msgpack):\n%s", name, diff)
		}
	}
}

// floats makes all numbers what encoding/json makes of them.
func floats(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case int8:
		return float64(v)
	case int16:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case uint8:
		return float64(v)
	case uint16:
		return float64(v)
	case uint32:
		return float64(v)
	case uint64:
		return float64(v)
	}
	return v
}

// randomJSON writes a value of every type that WeChat might come to send.
func randomJSON(r *rand.Rand, depth int) string {
	switch n := r.IntN(8); {
	case n == 0 && depth > 0:
		return `[` + randomJSON(r, depth-1) + `, ` + randomJSON(r, depth-1) + `]`
	case n == 1 && depth > 0:
		return `{"k":` + randomJSON(r, depth-1) + `,"王":` + randomJSON(r, depth-1) + `}`
	case n == 2:
		return fmt.Sprint(r.Int64() >> r.IntN(64))
	case n == 3:
		return fmt.Sprint(r.Uint64())
	case n == 4:
		return fmt.Sprint(r.NormFloat64())
	case n == 5:
		return `"` + string([]rune{'a' + r.Int32N(26), 0x4e00 + r.Int32N(9999), 0x1f600 + r.Int32N(60)}) + `\n\"\u00e9"`
	case n == 6:
		return "true"
	}
	return "null"
}

func TestRecordFormatsAgree(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		raw := `{"openid":"` + testOpenID + `","subscribe":` + fmt.Sprint(rnd.IntN(2)) + `,"remark":` + randomJSON(rnd, 0) +
			`,"tagid_list":` + randomJSON(rnd, 1) + `,"qr_scene":` + fmt.Sprint(rnd.Uint32()) + `,"x":` + randomJSON(rnd, 4) + `}`
		r := testRecord()
		r.User.Raw = JSONValue([]byte(raw))
		r.Event.Meta = JSONValue([]byte(randomJSON(rnd, 3)))
		var decoded [2]Record
		for i, f := range []Format{JSON, Msgpack} {
			b, err := r.Append(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			if decoded[i], err = DecodeRecord(b, f); err != nil {
				t.Fatal(err)
			}
		}
		// As JSON the two may differ in the writing of a float, no more.
		if diff := cmp.Diff(decoded[0], decoded[1], cmp.Comparer(func(v, w Value) bool {
			var a, b any
			if v.IsZero() || w.IsZero() {
				return v.IsZero() == w.IsZero()
			}
			aj, _ := v.AppendJSON(nil)
			bj, _ := w.AppendJSON(nil)
			return json.Unmarshal(aj, &a) == nil && json.Unmarshal(bj, &b) == nil && cmp.Equal(a, b)
		})); diff != "" {
			t.Fatalf("%s (-JSON +msgpack):\n%s", raw, diff)
		}
	}
}

func TestRecordMsg(t *testing.T) {
	t.Parallel()
	r := fullRecord()
	r.Hop = 2
	for _, f := range []Format{JSON, Msgpack} {
		m, err := r.Msg("wx.profiles.x", f)
		if err != nil {
			t.Fatal(err)
		}
		want := nats.Header{
			"Nats-Msg-Id":   {"WX_EVENTS:123456:1772353800123456789:r20260301a"},
			"Content-Type":  {"application/" + string(f)},
			"Wx-Schema":     {"wxenrich.profile.v1"},
			"Wx-Status":     {"following"},
			"Wx-Event-Id":   {"WX_EVENTS-123456"},
			"Wx-Appid":      {testAppID},
			"Wx-Openid":     {testOpenID},
			"Wx-Src-Stream": {"WX_EVENTS"},
			"Wx-Src-Seq":    {"123456"},
			"Wx-Src-Time":   {"2026-03-01T08:30:00.123456789Z"},
			"Wx-Replay":     {"r20260301a"},
			"Wx-Hop":        {"2"},
		}
		if diff := cmp.Diff(want, m.Header); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", f, diff)
		}
		if m.Subject != "wx.profiles.x" {
			t.Errorf("subject %q", m.Subject)
		}
		m.Header["traceparent"] = append(m.Header["traceparent"], "00-…")
		m.Header["Wx-Schema"] = append(m.Header["Wx-Schema"], "x") // values share an array, and must not run into each other
		if got := m.Header["Wx-Status"][0]; got != "following" {
			t.Errorf("appending to one header changed the next to %q", got)
		}
		for _, h := range []nats.Header{{"Content-Type": m.Header["Content-Type"], "Wx-Hop": {"2"}}, {"Wx-Hop": {"2"}}} {
			got, err := ParseRecord(h, m.Data)
			if err != nil {
				t.Fatal(err)
			}
			want := read(fullRecord())
			want.Hop = 2
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: parsed (-want +got):\n%s", f, diff)
			}
		}
	}
}

func TestDecodeRecordTolerates(t *testing.T) {
	t.Parallel()
	got, err := DecodeRecord([]byte(`{"schema":"wxenrich.profile.v1","new":{"a":1},"id":7,"event":{"seq":"x","new":1,"type":"subscribe"},
		"fetched_at":"soon","user":{"openid":[],"subscribe":1.0,"sex":"1","qr_scene":-1,"tagid_list":[1,"x",2],"new":"kept"}}`), JSON)
	if err != nil {
		t.Fatal(err)
	}
	want := Record{Event: Event{Type: "subscribe"}, User: User{Subscribe: 1, TagIDs: []int64{1, 2}, Raw: got.User.Raw}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if !bytes.Contains(got.User.Raw.json, []byte(`"new":"kept"`)) {
		t.Errorf("raw user %s lost a field", got.User.Raw.json)
	}
}

func TestParseRecordRefuses(t *testing.T) {
	t.Parallel()
	v1 := []byte(`{"schema":"wxenrich.profile.v1"}`)
	for name, tt := range map[string]struct {
		header nats.Header
		data   string
		schema bool
	}{
		"header's schema": {nats.Header{"Wx-Schema": {"wxenrich.profile.v2"}}, string(v1), true},
		"body's schema":   {nil, `{"schema":"wxenrich.profile.v2"}`, true},
		"no schema":       {nil, `{}`, true},
		"text":            {nil, "hello", false},
		"not JSON":        {nil, "{", false},
		"not msgpack":     {nil, "\x81", false},
		"hop":             {nats.Header{"Wx-Hop": {"x"}}, string(v1), false},
	} {
		_, err := ParseRecord(tt.header, []byte(tt.data))
		if err == nil || errors.Is(err, ErrSchema) != tt.schema {
			t.Errorf("%s: error %v, want one about the schema: %v", name, err, tt.schema)
		}
	}
}

// A user without Raw is written from its fields, all of them.
func TestRecordUserFromFields(t *testing.T) {
	t.Parallel()
	want := read(testRecord()).User
	want.Nickname, want.Sex, want.City, want.Province, want.Country, want.HeadImgURL = "n", 2, "c", "p", "y", "http://h/0"
	want.Raw = Value{}
	for _, f := range []Format{JSON, Msgpack} {
		b, err := (&Record{User: want}).Append(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRecord(b, f)
		if err != nil {
			t.Fatal(err)
		}
		if got.User.Raw.IsZero() {
			t.Errorf("%s: no raw user", f)
		}
		got.User.Raw = Value{}
		if diff := cmp.Diff(want, got.User); diff != "" {
			t.Errorf("%s: user (-want +got):\n%s", f, diff)
		}
	}
}

func TestFetchedAtHasMicroseconds(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		"2026-03-01T08:30:00.000000Z": time.Date(2026, 3, 1, 16, 30, 0, 0, time.FixedZone("CST", 8*3600)),
		"2026-03-01T08:30:00.000120Z": time.Date(2026, 3, 1, 8, 30, 0, 120999, time.UTC),
	} {
		if got := string(appendTime(nil, at, true)); got != want {
			t.Errorf("appendTime(%v) = %s, want %s", at, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Format{"json": JSON, "msgpack": Msgpack, "JSON": JSON} {
		if got, err := ParseFormat(s); err != nil || got != want {
			t.Errorf("ParseFormat(%q) = %q, %v", s, got, err)
		}
		if got, ok := FormatOf(want.ContentType() + "; charset=utf-8"); !ok || got != want {
			t.Errorf("FormatOf(%q) = %q, %v", want.ContentType(), got, ok)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("ParseFormat took xml")
	}
	if f, ok := FormatOf("text/plain"); ok {
		t.Errorf("FormatOf(text/plain) = %q", f)
	}
}
