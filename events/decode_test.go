package events

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"
)

func packed(t testing.TB, v any) string {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testEvent is what an input that states only the openid becomes, changed by f.
func testEvent(f func(*Event)) Event {
	e := Event{ID: "WX_EVENTS-123456", OpenID: testOpenID, AppID: testAppID, Type: "subscribe", Source: testSource()}
	f(&e)
	return e
}

func TestDecode(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 11, 14, 22, 15, 23, 0, time.UTC) // unix 1700000123
	plain := testEvent(func(*Event) {})
	ceHeader := func(more ...string) nats.Header {
		h := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"17"}, "ce-source": {"/x"}, "ce-type": {"subscribe"}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = []string{more[i+1]}
		}
		return h
	}
	ceEvent := func(f func(*Event)) Event {
		return testEvent(func(e *Event) { e.ID = "17"; f(e) })
	}
	contentType := func(s string) nats.Header { return nats.Header{"Content-Type": {s}} }
	pushed := testEvent(func(e *Event) {
		e.Time, e.EventKey, e.Scene = at, "qrscene_7", "7"
		e.Ticket = "gQFs8DwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLzAy"
	})

	for _, tt := range []struct {
		name   string
		header nats.Header
		data   string
		want   Event
	}{
		{"text", nil, testOpenID, plain},
		{"text with white space", nil, "\ufeff \t" + testOpenID + "\r\n", plain},
		{"text by type", contentType("text/plain; charset=utf-8"), testOpenID + "\n", plain},
		{"id from the message id", nats.Header{"Nats-Msg-Id": {"m-1"}}, testOpenID, testEvent(func(e *Event) { e.ID = "m-1" })},

		{"JSON", nil, `{"openid":"` + testOpenID + `"}`, plain},
		{"JSON by type, with a mark and space", contentType("Application/JSON;charset=UTF-8"), "\ufeff\n {\"openid\": \" " + testOpenID + " \"}", plain},
		{"JSON of unknown type", contentType("application/octet-stream"), `{"openid":"` + testOpenID + `"}`, plain},
		{"JSON in full", nats.Header{"Nats-Msg-Id": {"m-1"}},
			`{"openid":"` + testOpenID + `","id":"o-17","appid":"` + testAppID + `","type":"SCAN","time":"2023-11-15T06:15:23+08:00","lang":"zh-TW","meta":{"a":[1,{"b":"\u00e9"}]},"other":1}`,
			testEvent(func(e *Event) {
				e.ID, e.Type, e.Time, e.Lang = "o-17", "SCAN", at, "zh_TW"
				e.Meta = JSONValue([]byte(`{"a":[1,{"b":"\u00e9"}]}`))
			})},
		{"JSON with blanks", nil,
			`{"openid":"` + testOpenID + `","id":null,"appid":"","type":"","time":0,"lang":"","meta":null}`, plain},
		{"JSON with integer id", nil, `{"openid":"` + testOpenID + `","id":18446744073709551615}`, testEvent(func(e *Event) { e.ID = "18446744073709551615" })},
		{"unknown lang, odd type", nil, `{"openid":"` + testOpenID + `","lang":"tlh","type":7}`, plain},
		{"lang in another case", nil, `{"openid":"` + testOpenID + `","lang":"EN"}`, testEvent(func(e *Event) { e.Lang = "en" })},
		{"seconds", nil, `{"openid":"` + testOpenID + `","time":1700000123}`, testEvent(func(e *Event) { e.Time = at })},
		{"milliseconds", nil, `{"openid":"` + testOpenID + `","time":1700000123500}`, testEvent(func(e *Event) { e.Time = at.Add(500 * time.Millisecond) })},
		{"fraction", nil, `{"openid":"` + testOpenID + `","time":1700000123.25}`, testEvent(func(e *Event) { e.Time = at.Add(250 * time.Millisecond) })},
		{"seconds as text", nil, `{"openid":"` + testOpenID + `","time":"1700000123"}`, testEvent(func(e *Event) { e.Time = at })},

		{"msgpack", nil, packed(t, map[string]any{"openid": testOpenID}), plain},
		{"msgpack by an old type", contentType("application/x-msgpack"), packed(t, map[string]any{"openid": testOpenID, "id": -5}), testEvent(func(e *Event) { e.ID = "-5" })},
		{"msgpack in full", nil, packed(t, map[string]any{"openid": testOpenID, "time": at.Add(7), "lang": "en", "meta": []byte{1, 2}}),
			testEvent(func(e *Event) {
				e.Time, e.Lang = at.Add(7), "en"
				e.Meta = MsgpackValue([]byte{0xc4, 2, 1, 2})
			})},
		{"msgpack map16", nil, "\xde\x00\x01\xa6openid\xbc" + testOpenID, plain},
		{"msgpack with a number for a key", nil, "\x82\x07\xc0\xa6openid\xbc" + testOpenID, plain},

		{"XML", nil, testPush, pushed},
		{"XML by type", contentType("text/xml"), `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + testPush + "\n<!-- end -->", pushed},
		{"XML scan", nil, `<xml><FromUserName> ` + testOpenID + ` </FromUserName><Event>SCAN</Event><EventKey>9</EventKey></xml>`,
			testEvent(func(e *Event) { e.Type, e.EventKey, e.Scene = "SCAN", "9", "9" })},
		{"XML view", nil, `<xml><FromUserName>` + testOpenID + `</FromUserName><Event>VIEW</Event><EventKey>http://x/?a=1&amp;b=2</EventKey></xml>`,
			testEvent(func(e *Event) { e.Type, e.EventKey = "VIEW", "http://x/?a=1&b=2" })},
		{"XML nested name", nil, `<xml><FromUserName>` + testOpenID + `</FromUserName><Event>subscribe</Event><Info><Event>SCAN</Event></Info></xml>`, plain},

		{"structured CloudEvent", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"unsubscribe","time":"2023-11-14T22:15:23Z","data":{"openid":"` + testOpenID + `","meta":1}}`,
			ceEvent(func(e *Event) { e.Type, e.Time, e.Meta = "unsubscribe", at, JSONValue([]byte("1")) })},
		{"structured CloudEvent, subject", contentType("application/cloudevents+json"), `{"specversion":"1.0","id":"17","source":"/x","type":"subscribe","subject":"` + testOpenID + `"}`,
			ceEvent(func(*Event) {})},
		{"structured CloudEvent, data wins", nil, `{"data":{"openid":"` + testOpenID + `","id":"d","type":"SCAN"},"specversion":"1.0","id":"17","source":"/x","type":"t","subject":"no openid"}`,
			testEvent(func(e *Event) { e.ID, e.Type = "d", "SCAN" })},
		{"structured CloudEvent, base64", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"subscribe","datacontenttype":"text/xml","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(testPush)) + `"}`,
			ceEvent(func(e *Event) { id := e.ID; *e = pushed; e.ID = id })},
		{"structured CloudEvent, text", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"subscribe","datacontenttype":"text/plain","data":"` + testOpenID + `"}`,
			ceEvent(func(*Event) {})},
		{"binary CloudEvent", ceHeader("Content-Type", "application/json"), `{"openid":"` + testOpenID + `"}`, ceEvent(func(*Event) {})},
		{"binary CloudEvent, time, escapes", ceHeader("ce-time", "2023-11-14T22:15:23Z", "ce-id", "17%20%E2%82%AC"), `{"openid":"` + testOpenID + `"}`,
			testEvent(func(e *Event) { e.ID, e.Time = "17 €", at })},
		{"binary CloudEvent, subject only", ceHeader("ce-subject", testOpenID), "", ceEvent(func(*Event) {})},
		{"binary CloudEvent, other data", ceHeader("ce-subject", testOpenID, "ce-datacontenttype", "text/plain"), "hello", ceEvent(func(*Event) {})},
		{"binary CloudEvent from HTTP", nats.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"17"}, "Ce-Type": {"subscribe"}}, testOpenID, ceEvent(func(*Event) {})},
		{"binary CloudEvent, payload id", ceHeader(), `{"openid":"` + testOpenID + `","id":"p"}`, testEvent(func(e *Event) { e.ID = "p" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &Decoder{AppID: testAppID}
			got, err := d.Decode(Message{Source: testSource(), Header: tt.header, Data: []byte(tt.data)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	openid := `"openid":"` + testOpenID + `"`
	const invalidUTF8 = "\xff\xfe"
	for _, tt := range []struct {
		name   string
		header nats.Header
		data   string
		reason Reason
		id     string // of the event, if another than the default
	}{
		{"empty", nil, "", Undecodable, ""},
		{"only space", nil, " \n", Undecodable, ""},
		{"too large", nil, strings.Repeat("x", DefaultMaxPayload+1), Undecodable, ""},
		{"text too short", nil, "o6_bm", InvalidOpenID, ""},
		{"text too long", nil, strings.Repeat("o", 65), InvalidOpenID, ""},
		{"text with a stray byte", nil, "o6_bmjrPTlm6[2sgVt7hMZOPfL2M", InvalidOpenID, ""},
		{"two openids", nil, testOpenID + "\n" + testOpenID, InvalidOpenID, ""},
		{"text not UTF-8", nil, invalidUTF8, Undecodable, ""},
		{"JSON without openid", nil, `{"id":"17"}`, Undecodable, "17"},
		{"JSON openid null", nil, `{"openid":null}`, Undecodable, ""},
		{"JSON openid a number", nil, `{"openid":12345678901234567890}`, InvalidOpenID, ""},
		{"JSON openid not UTF-8", nil, `{"openid":"` + invalidUTF8 + `"}`, Undecodable, ""},
		{"JSON list", nil, `[{` + openid + `}]`, Undecodable, ""},
		{"JSON cut", nil, `{` + openid, Undecodable, ""},
		{"JSON text by type", nats.Header{"Content-Type": {"application/json"}}, `"` + testOpenID + `"`, Undecodable, ""},
		{"JSON by type, not", nats.Header{"Content-Type": {"application/json"}}, testOpenID, Undecodable, ""},
		{"JSON other appid", nil, `{"id":"17",` + openid + `,"appid":"wx_other"}`, WrongAccount, "17"},
		{"JSON appid a number", nil, `{` + openid + `,"appid":7}`, WrongAccount, ""},
		{"JSON id too long", nil, `{` + openid + `,"id":"` + strings.Repeat("i", 257) + `"}`, Undecodable, ""},
		{"JSON id with a line break", nil, `{` + openid + `,"id":"a\nb"}`, Undecodable, ""},
		{"JSON id an object", nil, `{` + openid + `,"id":{}}`, Undecodable, ""},
		{"JSON id a fraction", nil, `{` + openid + `,"id":1.5}`, Undecodable, ""},
		{"JSON bad time", nil, `{` + openid + `,"time":"yesterday"}`, Undecodable, ""},
		{"JSON time before 1970", nil, `{` + openid + `,"time":-5}`, Undecodable, ""},
		{"JSON time beyond the calendar", nil, `{` + openid + `,"time":99999999999999999}`, Undecodable, ""},
		{"JSON time infinite", nil, `{` + openid + `,"time":1e999}`, Undecodable, ""},
		{"JSON time an object", nil, `{` + openid + `,"time":{}}`, Undecodable, ""},
		{"message id too long", nats.Header{"Nats-Msg-Id": {strings.Repeat("i", 257)}}, testOpenID, Undecodable, ""},
		{"msgpack cut", nil, packed(t, map[string]any{"openid": testOpenID})[:20], Undecodable, ""},
		{"msgpack with more behind", nil, packed(t, map[string]any{"openid": testOpenID}) + "\x01", Undecodable, ""},
		{"msgpack list by type", nats.Header{"Content-Type": {"application/msgpack"}}, packed(t, []any{testOpenID}), Undecodable, ""},
		{"msgpack empty by type", nats.Header{"Content-Type": {"application/msgpack"}}, "", Undecodable, ""},
		{"msgpack text not UTF-8", nil, "\x81\xa6openid\xa2" + invalidUTF8, Undecodable, ""},
		{"msgpack map as key", nil, "\x81\x80\x01", Undecodable, ""},
		{"msgpack unused byte", nil, "\x81\xa1a\xc1", Undecodable, ""},
		{"XML of another root", nil, `<html><FromUserName>` + testOpenID + `</FromUserName></html>`, Undecodable, ""},
		{"XML without openid", nil, `<xml><Event>subscribe</Event></xml>`, Undecodable, ""},
		{"XML encrypted", nil, `<xml><ToUserName>gh_1</ToUserName><Encrypt>abc</Encrypt></xml>`, Undecodable, ""},
		{"XML bad openid", nil, `<xml><FromUserName>short</FromUserName></xml>`, InvalidOpenID, ""},
		{"XML bad time", nil, `<xml><FromUserName>` + testOpenID + `</FromUserName><CreateTime>soon</CreateTime></xml>`, Undecodable, ""},
		{"XML not closed", nil, `<xml><FromUserName>` + testOpenID + `</FromUserName>`, Undecodable, ""},
		{"XML twice", nil, testPush + testPush, Undecodable, ""},
		{"XML with a long field", nil, `<xml><EventKey>` + strings.Repeat("k", 2049) + `</EventKey></xml>`, Undecodable, ""},
		{"XML with a DTD", nil, `<!DOCTYPE xml [<!ENTITY a "b">]>` + testPush, Undecodable, ""},
		{"XML with an entity", nil, `<xml><FromUserName>&a;</FromUserName></xml>`, Undecodable, ""},
		{"XML in another charset", nil, `<?xml version="1.0" encoding="GBK"?>` + testPush, Undecodable, ""},
		{"CloudEvent by type only", nats.Header{"Content-Type": {"application/cloudevents+json"}}, `{` + openid + `}`, Undecodable, ""},
		{"CloudEvent without openid", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"t","data":{}}`, Undecodable, "17"},
		{"CloudEvent subject no openid", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"t","subject":"s"}`, InvalidOpenID, "17"},
		{"CloudEvent bad base64", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"t","data_base64":"!"}`, Undecodable, "17"},
		{"CloudEvent broken data", nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"17"}, "ce-subject": {testOpenID}}, `{`, Undecodable, "17"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &Decoder{AppID: testAppID}
			got, err := d.Decode(Message{Source: testSource(), Header: tt.header, Data: []byte(tt.data)})
			rejection, ok := errors.AsType[*Rejection](err)
			if !ok {
				t.Fatalf("error %v, want a rejection", err)
			}
			if rejection.Reason != tt.reason {
				t.Errorf("reason %q (%s), want %q", rejection.Reason, rejection.Detail, tt.reason)
			}
			if strings.Contains(err.Error(), testOpenID) || strings.Contains(err.Error(), "o6_bm") {
				t.Errorf("error quotes the openid: %v", err)
			}
			want := tt.id
			if want == "" {
				want = "WX_EVENTS-123456"
			}
			if got.ID != want || got.AppID != testAppID || got.Type == "" || got.Source != testSource() {
				t.Errorf("event for the dead letter = %+v, want id %q and its source", got, want)
			}
		})
	}
}

func TestDecodeMappedFields(t *testing.T) {
	t.Parallel()
	d := &Decoder{AppID: testAppID, Fields: map[string]string{"openid": "data.openId", "id": "no", "meta": "data"}}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"no": 17, "id": "not this", "openid": "nor this", "data": map[string]any{"openId": testOpenID}}
	for name, data := range map[string]string{
		"JSON":       `{"no":17,"id":"not this","openid":"nor this","data":{"openId":"` + testOpenID + `"}}`,
		"msgpack":    packed(t, body),
		"CloudEvent": `{"specversion":"1.0","no":17,"type":"subscribe","data":{"openId":"` + testOpenID + `"}}`,
	} {
		got, err := d.Decode(Message{Source: testSource(), Data: []byte(data)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := testEvent(func(e *Event) {
			e.ID, e.Meta = "17", JSONValue([]byte(`{"openId":"`+testOpenID+`"}`))
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: event (-want +got):\n%s", name, diff)
		}
	}
	if _, err := d.Decode(Message{Source: testSource(), Data: []byte(`{"openid":"` + testOpenID + `"}`)}); err == nil {
		t.Error("a mapped name was read from its usual place")
	}
}

func TestDecodeAccountFromPayload(t *testing.T) {
	t.Parallel()
	var d Decoder
	got, err := d.Decode(Message{Source: testSource(), Data: []byte(`{"openid":"` + testOpenID + `","appid":"wx_any"}`)})
	if err != nil || got.AppID != "wx_any" {
		t.Errorf("Decode = %+v, %v, want appid wx_any", got, err)
	}
}

func TestDecoderValidate(t *testing.T) {
	t.Parallel()
	d := &Decoder{AppID: "a b", Fields: map[string]string{"opneid": "x", "id": "a..b"}, MaxPayload: -1}
	err := d.Validate()
	for _, want := range []string{"a b", "opneid", "a..b", "-1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to name %q", err, want)
		}
	}
	for _, name := range InputFields() {
		if err := (&Decoder{Fields: map[string]string{name: "a.b"}}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestReasonsAreTokens(t *testing.T) {
	t.Parallel()
	if got := len(Reasons()); got != 8 {
		t.Errorf("%d reasons, want 8", got)
	}
	for _, r := range Reasons() {
		if !ValidAppID(string(r)) {
			t.Errorf("reason %q is no subject token", r)
		}
	}
}
