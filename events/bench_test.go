package events

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"
)

const (
	testAppID  = "wx0123456789abcdef"
	testOpenID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
)

// testUser is a row as the service sends them since 2021: blanked profile,
// raw Chinese, uint32 scene.
const testUser = `{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1700000123,"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"重要客户 王","groupid":2,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":4294967295,"qr_scene_str":"活动","next_year_field":{"a":[1,2.5,null,true]}}`

func testSource() Source {
	return Source{
		Stream:  "WX_EVENTS",
		Seq:     123456,
		Time:    time.Date(2026, 3, 1, 8, 30, 0, 123456789, time.UTC),
		Subject: "wx.events." + testAppID + ".subscribe",
	}
}

func testRecord() Record {
	return Record{
		Event: Event{
			ID: "WX_EVENTS-123456", OpenID: testOpenID, AppID: testAppID, Type: "subscribe",
			Time: time.Date(2026, 3, 1, 8, 29, 59, 0, time.UTC), EventKey: "qrscene_7", Scene: "7", Source: testSource(),
		},
		UnionID:   "o6_bmasdasdsad6_2sgVt7hMZOPfL",
		Status:    Following,
		Lang:      "zh_CN",
		FetchedAt: time.Date(2026, 3, 1, 8, 30, 0, 250120000, time.UTC),
		Source:    FromBatch,
		User:      User{Raw: JSONValue([]byte(testUser))},
	}
}

// testPush is a WeChat push of a follow through a QR code.
const testPush = `<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>
<FromUserName><![CDATA[o6_bmjrPTlm6_2sgVt7hMZOPfL2M]]></FromUserName>
<CreateTime>1700000123</CreateTime><MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_7]]></EventKey>
<Ticket><![CDATA[gQFs8DwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLzAy]]></Ticket></xml>`

func BenchmarkDecode(b *testing.B) {
	small := `{"openid":"` + testOpenID + `"}`
	full := `{"openid":"` + testOpenID + `","id":"order-17","type":"subscribe","time":1700000123,"lang":"zh_CN","meta":{"campaign":"春","n":1}}`
	packed, err := msgpack.Marshal(map[string]any{"openid": testOpenID, "id": "order-17", "time": 1700000123})
	if err != nil {
		b.Fatal(err)
	}
	id := nats.Header{HeaderMsgID: {"order-17"}}
	ce := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"17"}, "ce-type": {"subscribe"}, "ce-source": {"/x"}, "ce-time": {"2026-03-01T08:30:00Z"}}
	d := &Decoder{AppID: testAppID}
	for _, bb := range []struct {
		name   string
		header nats.Header
		data   string
	}{
		{"text", nil, testOpenID},
		{"text with id", id, testOpenID},
		{"small JSON", nil, small},
		{"full JSON", nil, full},
		{"msgpack", nil, string(packed)},
		{"XML", nil, testPush},
		{"binary CloudEvent", ce, small},
		{"structured CloudEvent", nil, `{"specversion":"1.0","id":"17","source":"/x","type":"subscribe","data":` + small + `}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m := Message{Source: testSource(), Header: bb.header, Data: []byte(bb.data)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, f := range []Format{JSON, Msgpack} {
		b.Run(string(f), func(b *testing.B) {
			r := testRecord()
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = r.Append(buf[:0], f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(buf)), "B/record")
		})
	}
}

func BenchmarkMsg(b *testing.B) {
	for _, f := range []Format{JSON, Msgpack} {
		b.Run(string(f), func(b *testing.B) {
			r := testRecord()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Msg("wx.profiles."+testAppID, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	for _, f := range []Format{JSON, Msgpack} {
		b.Run(string(f), func(b *testing.B) {
			r := testRecord()
			data, err := r.Append(nil, f)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRecord(data, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJSONValue(b *testing.B) {
	raw := []byte(testUser)
	b.ReportAllocs()
	for b.Loop() {
		if JSONValue(raw).IsZero() {
			b.Fatal("absent")
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	for _, s := range []string{"wx.profiles.all", "wx.profiles.{appid}"} {
		t, err := ParseTemplate(s, "appid")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s, func(b *testing.B) {
			v := Vars{AppID: testAppID}
			b.ReportAllocs()
			for b.Loop() {
				if t.Expand(v) == "" {
					b.Fatal("empty")
				}
			}
		})
	}
}
