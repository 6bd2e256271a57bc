package contract

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wxenrich/wxenrich/events"
)

// compile makes a schema of a document usable.
func compile(t *testing.T, data []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published is a schema as it is published.
func published(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	data, err := Schema(name)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, data)
}

// body reads a payload with a decoder that is not ours.
func body(t *testing.T, contentType string, data []byte) (v any) {
	t.Helper()
	if contentType == events.Msgpack.ContentType() {
		if err := msgpack.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// first is the first value of each header.
func first(h nats.Header) map[string]any {
	m := make(map[string]any, len(h))
	for name, values := range h {
		m[name] = values[0]
	}
	return m
}

const (
	appid  = "wx0123456789abcdef"
	openid = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
)

func source() events.Source {
	return events.Source{Stream: "WX_EVENTS", Seq: 42, Time: time.Date(2026, 3, 1, 8, 30, 0, 123456789, time.UTC), Subject: "wx.events." + appid + ".subscribe"}
}

// records is one of each kind, by name.
func records() map[string]events.Record {
	at := time.Date(2026, 3, 1, 8, 30, 0, 250_120_000, time.UTC)
	event := events.Event{ID: "order-17", OpenID: openid, AppID: appid, Type: "subscribe", Source: source()}
	full := event
	full.Time, full.EventKey, full.Scene, full.Ticket = time.Unix(1700000123, 0).UTC(), "qrscene_7", "7", "gQFs8Dw"
	full.Meta = events.JSONValue([]byte(`{"campaign":"活动 🎉","n":18446744073709551615,"none":null,"list":[1,-2.5,true]}`))
	row := events.JSONValue([]byte(`{"subscribe":1,"openid":"` + openid + `","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"",` +
		`"headimgurl":"","subscribe_time":1700000123,"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"重要客户 🐼","groupid":2,"tagid_list":[128,2],` +
		`"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":4294967295,"qr_scene_str":"","new":{"a":[1]}}`))
	return map[string]events.Record{
		"following": {Event: full, UnionID: "o6_bmasdasdsad6_2sgVt7hMZOPfL", Status: events.Following, Lang: "zh_CN", FetchedAt: at,
			Source: events.FromBatch, Replay: "r20260301a", Marker: events.MarkerNoUnionID, Hop: 2, User: events.User{Raw: row}},
		"not_following": {Event: event, Status: events.NotFollowing, Lang: "en", FetchedAt: at, Source: events.FromSingle,
			User: events.User{Raw: events.JSONValue([]byte(`{"subscribe":0,"openid":"` + openid + `"}`))}},
		"unsubscribed": {Event: event, Status: events.Unsubscribed, FetchedAt: at},
		"from fields": {Event: event, Status: events.Following, FetchedAt: at.Truncate(time.Second), Source: events.FromRecent,
			User: events.User{Subscribe: 1, OpenID: openid, SubscribeTime: 1700000123, TagIDs: []int64{1}, QRScene: 4294967295}},
	}
}

// deadLetters is one for each reason, with all there is and with the least.
func deadLetters() map[string]events.DeadLetter {
	m := make(map[string]events.DeadLetter)
	for _, reason := range events.Reasons() {
		m["least "+string(reason)] = events.DeadLetter{Message: events.Message{Source: source()}, EventID: "WX_EVENTS-42", AppID: appid, Reason: reason}
	}
	m["most"] = events.DeadLetter{
		Message: events.Message{Source: source(), Data: []byte("o6"), Header: nats.Header{
			"Content-Type": {"text/plain"}, "Nats-Msg-Id": {"order-17"}, "X-Shop": {"上海", "b"}, "Wx-Status": {"forged"}}},
		EventID: "order-17", AppID: appid, Reason: events.Rejected, Code: 40003, Detail: "invalid openid", Attempts: 3,
		Time: time.Date(2026, 3, 1, 8, 31, 0, 0, time.UTC), Replay: "r1", Hop: 1, Truncated: 70_000,
	}
	return m
}

// TestMessagesKeepTheContract validates a message of every kind as it would be
// stored, in both encodings.
func TestMessagesKeepTheContract(t *testing.T) {
	t.Parallel()
	bodies, headers, dead := published(t, Record), published(t, RecordHeaders), published(t, DeadLetter)
	for name, r := range records() {
		for _, f := range []events.Format{events.JSON, events.Msgpack} {
			m, err := r.Msg("wx.profiles."+appid, f)
			if err != nil {
				t.Fatal(err)
			}
			if err := bodies.Validate(body(t, f.ContentType(), m.Data)); err != nil {
				t.Errorf("%s in %s: %v", name, f, err)
			}
			if err := headers.Validate(first(m.Header)); err != nil {
				t.Errorf("headers of %s in %s: %v", name, f, err)
			}
			thin, err := events.ParseKeep([]string{"user.remark"})
			if err != nil {
				t.Fatal(err)
			}
			least := r
			thin.Apply(&least)
			data, err := least.Append(nil, f)
			if err != nil {
				t.Fatal(err)
			}
			if err := bodies.Validate(body(t, f.ContentType(), data)); err != nil {
				t.Errorf("the least of %s in %s: %v", name, f, err)
			}
			r.AddCloudEvent(m, f)
			if err := headers.Validate(first(m.Header)); err != nil {
				t.Errorf("headers of %s in %s as a CloudEvent: %v", name, f, err)
			}
		}
	}
	for name, d := range deadLetters() {
		if err := dead.Validate(first(d.Msg("wx.dead." + appid + "." + string(d.Reason)).Header)); err != nil {
			t.Errorf("dead letter %s: %v", name, err)
		}
	}
	if err := bodies.Validate(body(t, "", []byte(exampleRecord))); err != nil {
		t.Errorf("the example: %v", err)
	}
}

// TestSchemaRefuses shows that the schemas say something.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	for schema, docs := range map[string][]string{
		Record: {`[]`, `{}`, exampleWith(t, "status", "gone"), exampleWith(t, "schema", "wxenrich.profile.v2"), exampleWith(t, "openid", "short"),
			exampleWith(t, "fetched_at", "2026-03-01T08:30:00Z"), exampleWith(t, "event", map[string]any{"id": "1"}), exampleWith(t, "user", "x")},
		Event:         {`{}`, `[]`, `{"openid":7}`, `{"openid":"short"}`, `{"openid":"` + openid + `","id":{}}`, `{"openid":"` + openid + `","time":[]}`},
		RecordHeaders: {`{}`, `{"Wx-Schema":1}`},
		DeadLetter:    {`{}`, `{"Wx-Dead-Reason":"bored"}`},
	} {
		s := published(t, schema)
		for _, doc := range docs {
			if s.Validate(body(t, "", []byte(doc))) == nil {
				t.Errorf("%s: takes %s", schema, doc)
			}
		}
	}
}

// exampleWith is the example with another value.
func exampleWith(t *testing.T, key string, value any) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(exampleRecord), &m); err != nil {
		t.Fatal(err)
	}
	m[key] = value
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
