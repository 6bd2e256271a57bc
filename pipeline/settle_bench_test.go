package pipeline

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/eventstest"
	"github.com/wxenrich/wxenrich/wechat"
)

// BenchmarkSettle has groups of 100 people encoded, stored and acknowledged, with
// the server in the same process: an operation is one event.
func BenchmarkSettle(b *testing.B) {
	const appid, openid, row = "wx0123456789abcdef", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", `{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","nickname":"","language":"zh_CN","subscribe_time":1382694957,"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""}`
	server := eventstest.NewServer(b)
	js := server.JetStream()
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "WX_PROFILES", Subjects: []string{"wx.profiles.>"}}); err != nil {
		b.Fatal(err)
	}
	conn := server.Connect()
	out, err := NewPublisher(conn)
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLane(Deps{JS: js, Out: out, WeChat: new(wechat.Client)}, DefaultConfig(appid))
	if err != nil {
		b.Fatal(err)
	}
	user := wechat.User{Subscribe: 1, OpenID: openid, Raw: []byte(row)}
	c := contexts{stop: b.Context(), abort: b.Context()}
	group := make([]delivery, 100)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(group) {
		answers, now := make([]answer, len(group)), time.Now()
		for i := range group {
			at := events.Source{Stream: "WX_EVENTS", Seq: uint64(n + i), Time: now, Subject: "wx.events." + appid}
			group[i] = delivery{
				msg: &pulled{&nats.Msg{Reply: "ack"}, conn}, taken: now,
				event: events.Event{ID: "1", OpenID: openid, AppID: appid, Type: "subscribe", Source: at},
			}
			answers[i] = l.record(&group[i], &user, events.FromBatch, "", now)
		}
		if l.settle(c, answers); !group[len(group)-1].settled {
			b.Fatal("not settled")
		}
	}
}
