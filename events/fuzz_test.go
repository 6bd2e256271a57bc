package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

// checkDecoded holds what Decode promises for any input: an event that can be
// answered in both formats, or a rejection that can be stored.
func checkDecoded(t *testing.T, m Message, e Event, err error) {
	t.Helper()
	if e.ID == "" || len(e.ID) > maxID || strings.ContainsAny(e.ID, "\r\n") || e.Source != m.Source {
		t.Errorf("event %+v has no usable id or source", e)
	}
	if err != nil {
		rejection, ok := errors.AsType[*Rejection](err)
		if !ok || !slices.Contains(Reasons(), rejection.Reason) || rejection.Detail == "" {
			t.Fatalf("error %#v is no rejection of the set", err)
		}
		d := DeadLetter{Message: m, EventID: e.ID, AppID: e.AppID, Reason: rejection.Reason, Detail: rejection.Detail}
		back, err := ParseDeadLetter(d.Msg("s").Header, m.Data)
		if err != nil || back.EventID != e.ID || back.Message.Source != m.Source {
			t.Fatalf("dead letter came back as %+v, %v", back, err)
		}
		return
	}
	if !ValidOpenID(e.OpenID) || e.Type == "" {
		t.Errorf("event %+v has no openid or type", e)
	}
	r := Record{Event: e, Status: Following, Lang: e.Lang, User: User{OpenID: e.OpenID}}
	for _, f := range []Format{JSON, Msgpack} {
		msg, err := r.Msg("s", f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRecord(msg.Header, msg.Data)
		if err != nil {
			t.Fatalf("%v in %q", err, msg.Data)
		}
		if back.Event.Meta.IsZero() != e.Meta.IsZero() {
			t.Errorf("meta came back as %+v", back.Event.Meta)
		}
		back.Event.Meta, back.Event.Lang = e.Meta, back.Lang
		if diff := cmp.Diff(e, back.Event); diff != "" {
			t.Errorf("%s: event came back (-want +got):\n%s", f, diff)
		}
	}
}

func FuzzDecode(f *testing.F) {
	openid := `{"openid":"` + testOpenID + `"`
	for _, contentType := range []string{"", "application/json", "application/msgpack", "text/plain", "text/xml", "application/cloudevents+json", "x/y"} {
		for _, data := range []string{
			testOpenID, openid + `}`, openid + `,"id":1,"time":1700000123,"lang":"en","meta":{"a":[1,null,1e3]}}`, testPush,
			packed(f, map[string]any{"openid": testOpenID, "meta": map[string]any{"a": []any{1, 1.5, []byte("b")}}, "time": time.Unix(1700000123, 5)}),
			`{"specversion":"1.0","id":"1","source":"/","type":"t","data":` + openid + `}}`,
			`{"specversion":"1.0","datacontenttype":"text/plain","data_base64":"bzZfYm1qclBUbG02XzJzZ1Z0N2hNWk9QZkwyTQ=="}`,
			"", "{", "[[[[", "\xdf\xff\xff\xff\xff", "<xml>", "\xef\xbb\xbf" + testOpenID,
		} {
			f.Add([]byte(data), contentType, "", "", "", "")
		}
	}
	f.Add([]byte(openid+`}`), "application/json", "1.0", "ce-1", testOpenID, "m-1")
	f.Add([]byte(""), "", "1.0", "%41", testOpenID, "m\r\n1")
	f.Fuzz(func(t *testing.T, data []byte, contentType, ceVersion, ceID, ceSubject, msgID string) {
		h := nats.Header{}
		for name, value := range map[string]string{
			HeaderContentType: contentType, "ce-specversion": ceVersion, "ce-id": ceID, "ce-subject": ceSubject, HeaderMsgID: msgID,
		} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		m := Message{Source: testSource(), Header: h, Data: data}
		for _, d := range []*Decoder{{AppID: testAppID}, {Fields: map[string]string{"openid": "data.openid", "meta": "a.b"}}} {
			e, err := d.Decode(m)
			checkDecoded(t, m, e, err)
		}
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{
		testPush, "<xml/>", "<xml><FromUserName>a", "<!DOCTYPE a><xml></xml>", "<xml><a><b><c/></b></a></xml><!-- -->",
		"<xml><FromUserName>&lt;&#x41;</FromUserName></xml>", "<?xml version='1.0'?><xml:xml xmlns:xml='x'></xml:xml>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := Message{Source: testSource(), Header: nats.Header{HeaderContentType: {"text/xml"}}, Data: data}
		e, err := (&Decoder{AppID: testAppID}).Decode(m)
		checkDecoded(t, m, e, err)
		if len(e.EventKey) > maxXMLText || len(e.Ticket) > maxXMLText {
			t.Errorf("fields of %d and %d bytes", len(e.EventKey), len(e.Ticket))
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	r := fullRecord()
	for _, format := range []Format{JSON, Msgpack} {
		b, err := r.Append(nil, format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, format == JSON)
	}
	f.Add([]byte(`{"schema":"wxenrich.profile.v1","user":{"tagid_list":[1e3]},"event":[]}`), true)
	f.Add([]byte("\x81\xa6schema\xb3wxenrich.profile.v1"), false)
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		format := Msgpack
		if asJSON {
			format = JSON
		}
		r, err := DecodeRecord(data, format)
		if err != nil {
			return
		}
		for _, other := range []Format{JSON, Msgpack} {
			b, err := r.Append(nil, other)
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeRecord(b, other)
			if err != nil {
				t.Fatalf("%v in %q", err, b)
			}
			// Raw may say in another encoding what it said before.
			again.User.Raw, again.Event.Meta = r.User.Raw, r.Event.Meta
			want := r
			want.FetchedAt = want.FetchedAt.Truncate(time.Microsecond)
			if other == format {
				if diff := cmp.Diff(want, again, cmp.Comparer(func(v, w Value) bool { return true })); diff != "" {
					t.Errorf("record came back (-want +got):\n%s", diff)
				}
			}
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{
		testUser, `{"a":[1,-1,1.5,1e300,true,null,"\u0000\ud83d\ude00"]}`, `18446744073709551615`, ` [ ] `, "\"\xff\"",
		"\x83\x01\xc0\xc4\x01a\xca\x3f\x00\x00\x00\xa1b\xd6\xff\x65\x53\xf1\x00", "\xdc\x00\x01\xc0", "\xc7\x0c\xff\x00\x00\x00\x01\xff\x00\x00\x00\x65\x53\xf1\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []Value{JSONValue(data), MsgpackValue(data)} {
			asJSON, err := v.AppendJSON(nil)
			if err != nil {
				if v.fault == nil {
					t.Fatal(err)
				}
				continue
			}
			if !json.Valid(asJSON) || !utf8.Valid(asJSON) {
				t.Fatalf("%q became invalid JSON: %q", data, asJSON)
			}
			if len(asJSON) > 64+8*len(data) {
				t.Errorf("%d bytes became %d", len(data), len(asJSON))
			}
			asMsgpack, err := JSONValue(asJSON).AppendMsgpack(nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkMsgpack(string(asMsgpack), maxDepth); err != nil {
				t.Fatalf("%q became invalid msgpack %q: %v", asJSON, asMsgpack, err)
			}
			// Once through both, nothing changes any more.
			again, _ := MsgpackValue(asMsgpack).AppendJSON(nil)
			third, _ := JSONValue(again).AppendMsgpack(nil)
			fourth, _ := MsgpackValue(third).AppendJSON(nil)
			if !bytes.Equal(again, fourth) {
				t.Errorf("%q, then %q", again, fourth)
			}
		}
	})
}

func FuzzParseMsgID(f *testing.F) {
	f.Add("WX_EVENTS", uint64(7), int64(1700000123000000456), "", false)
	f.Add("a:b:1:2", uint64(1<<64-1), int64(-1), "r-1", true)
	f.Add("dead:x", uint64(0), int64(0), "9", false)
	f.Add("dead", uint64(6), int64(-58), "j", false)
	f.Fuzz(func(t *testing.T, stream string, seq uint64, nanos int64, replay string, dead bool) {
		src := Source{Stream: stream, Seq: seq, Time: time.Unix(0, nanos).UTC()}
		id := src.MsgID(replay)
		if dead {
			letter := DeadLetter{Message: Message{Source: src}, Replay: replay, Hop: int(seq % 3)}
			id = letter.MsgID()
		}
		gotSrc, gotReplay, gotDead, err := ParseMsgID(id)
		if !ValidStreamName(stream) || replay != "" && !ValidReplayID(replay) {
			return // no panic is all we want
		}
		if err != nil || gotSrc != src || gotReplay != replay || gotDead != dead {
			t.Errorf("ParseMsgID(%q) = %+v, %q, %v, %v", id, gotSrc, gotReplay, gotDead, err)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("wx.profiles.{appid}", "wx1", "o.x >*", "")
	f.Add("{type}-{reason}.{openid}", "", "\x00", "王")
	f.Add("a..b{", "", "", "")
	f.Fuzz(func(t *testing.T, s, appid, openid, eventType string) {
		tmpl, err := ParseTemplate(s, varNames...)
		if err != nil {
			return
		}
		v := Vars{AppID: appid, OpenID: openid, UnionID: openid, Type: eventType, Reason: eventType}
		subject := tmpl.Expand(v)
		if err := checkSubject(subject); err != nil {
			t.Errorf("%q expands to %q, which %v", s, subject, err)
		}
		for _, own := range []bool{false, true} {
			if missing := uncovered(tmpl.StreamSubjects(own, appid), []string{subject}); missing != nil {
				t.Errorf("%q: stream of %q does not capture %q", s, tmpl.StreamSubjects(own, appid), subject)
			}
		}
	})
}

func FuzzParseErased(f *testing.F) {
	notice := Erased{AppID: testAppID, OpenID: testOpenID, UpTo: time.Unix(1700000123, 5), ErasedAt: time.Unix(1700000124, 0), Cause: ErasedByRequest}
	f.Add(notice.Msg("s").Data)
	f.Add([]byte(`{"schema":"wxenrich.erased.v1","appid":"a","openid":"b\r\n","up_to":"0001-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseErased(nats.Header{HeaderSchema: {SchemaErased}}, data)
		if err != nil {
			return
		}
		m := e.Msg("s")
		back, err := ParseErased(m.Header, m.Data)
		if err != nil || !back.UpTo.Equal(e.UpTo) || back.OpenID != e.OpenID {
			t.Errorf("%+v came back as %+v, %v", e, back, err)
		}
	})
}
