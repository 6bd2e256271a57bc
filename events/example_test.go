package events_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// stored stands for a message that a consumer pulled.
func stored(header nats.Header, data string) events.Message {
	return events.Message{
		Source: events.Source{
			Stream:  "WX_EVENTS",
			Seq:     42,
			Time:    time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC),
			Subject: "wx.events.wx0123456789abcdef.subscribe",
		},
		Header: header,
		Data:   []byte(data),
	}
}

func show(header nats.Header, data string) {
	d := &events.Decoder{AppID: "wx0123456789abcdef"}
	e, err := d.Decode(stored(header, data))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.ID, e.OpenID, e.Type)
}

func ExampleDecoder_text() {
	show(nil, "o6_bmjrPTlm6_2sgVt7hMZOPfL2M\n")
	// Output: WX_EVENTS-42 o6_bmjrPTlm6_2sgVt7hMZOPfL2M subscribe
}

func ExampleDecoder_json() {
	show(nil, `{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","id":"order-17","type":"SCAN","meta":{"campaign":7}}`)
	// Output: order-17 o6_bmjrPTlm6_2sgVt7hMZOPfL2M SCAN
}

func ExampleDecoder_msgpack() {
	show(nats.Header{"Nats-Msg-Id": {"m-1"}}, "\x81\xa6openid\xbco6_bmjrPTlm6_2sgVt7hMZOPfL2M")
	// Output: m-1 o6_bmjrPTlm6_2sgVt7hMZOPfL2M subscribe
}

func ExampleDecoder_xml() {
	show(nil, `<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>
<FromUserName><![CDATA[o6_bmjrPTlm6_2sgVt7hMZOPfL2M]]></FromUserName>
<CreateTime>1700000123</CreateTime><MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[unsubscribe]]></Event></xml>`)
	// Output: WX_EVENTS-42 o6_bmjrPTlm6_2sgVt7hMZOPfL2M unsubscribe
}

func ExampleDecoder_structuredCloudEvent() {
	show(nil, `{"specversion":"1.0","id":"ce-17","source":"/crm","type":"subscribe","data":{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M"}}`)
	// Output: ce-17 o6_bmjrPTlm6_2sgVt7hMZOPfL2M subscribe
}

func ExampleDecoder_binaryCloudEvent() {
	show(nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {"ce-17"}, "ce-source": {"/crm"}, "ce-type": {"subscribe"},
		"ce-subject": {"o6_bmjrPTlm6_2sgVt7hMZOPfL2M"},
	}, "")
	// Output: ce-17 o6_bmjrPTlm6_2sgVt7hMZOPfL2M subscribe
}

func ExampleRejection() {
	show(nil, "o6_bm[rPTlm6_2sgVt7hMZOPfL2M")
	show(nil, `{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","appid":"wx_other"}`)
	show(nil, `{"openid":`)
	// Output:
	// events: invalid_openid: openid has byte 0x5b at index 5: want A-Z a-z 0-9 _ -
	// events: wrong_account: the payload names another account than wx0123456789abcdef
	// events: undecodable: JSON is malformed
}

// exampleRecord is what a consumer of wx.profiles.> gets.
func exampleRecord() *events.Record {
	return &events.Record{
		Event:     events.Event{ID: "order-17", AppID: "wx0123456789abcdef", OpenID: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", Type: "subscribe", Source: stored(nil, "").Source},
		Status:    events.Following,
		FetchedAt: time.Date(2026, 3, 1, 8, 30, 0, 250_000_000, time.UTC),
		Source:    events.FromBatch,
		User:      events.User{Raw: events.JSONValue([]byte(`{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","remark":"重要客户","new_field":[1]}`))},
	}
}

func ExampleParseRecord() {
	r := exampleRecord()
	msg, err := r.Msg("wx.profiles.wx0123456789abcdef", events.Msgpack)
	if err != nil {
		fmt.Println(err)
		return
	}

	got, err := events.ParseRecord(msg.Header, msg.Data)
	if err != nil {
		fmt.Println(err)
		return
	}
	var more struct {
		NewField []int `json:"new_field"`
	}
	if err := got.User.Raw.Decode(&more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Event.ID, got.Status, got.User.Remark, more.NewField)
	// Output: order-17 following 重要客户 [1]
}

func ExampleTemplate() {
	t, err := events.ParseTemplate("wx.dead.{appid}.{reason}", "appid", "reason")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Expand(events.Vars{AppID: "wx0123456789abcdef", Reason: string(events.Rejected)}))
	fmt.Println(t.StreamSubjects(false, ""))
	_, err = events.ParseTemplate("wx.dead.{apid}", "appid", "reason")
	fmt.Println(err)
	// Output:
	// wx.dead.wx0123456789abcdef.rejected
	// [wx.dead.>]
	// events: template "wx.dead.{apid}" has unknown variable {apid}: want {appid} or {reason}
}

func ExampleEnsureStream() {
	open := func(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
		stream, drifts, err := events.EnsureStream(ctx, js, events.StreamSpec{
			Name:     "WX_PROFILES",
			Subjects: []string{"wx.profiles.>"},
			Output:   true,
		}, events.Create)
		if err != nil {
			return nil, err
		}
		for _, d := range drifts {
			if d.Fatal {
				return nil, fmt.Errorf("unsafe to go on: %v", d)
			}
			fmt.Println("warning:", d)
		}
		return stream, nil
	}
	_ = open
}
