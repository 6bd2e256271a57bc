// Package traffic makes events as real producers send them: in every form that
// is accepted, with the mishaps of real life among them. The demo plays it,
// and tests know from it what must come out.
package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"
)

// People is where openids come from; *wechattest.Account is one.
type People interface {
	OpenID(i int) string    // of somebody who follows
	BadOpenID(i int) string // well-formed, and refused by WeChat
}

// Want is what an event must become: a record's status or a dead letter's reason.
type Want string

// The outcomes that Mix brings about.
const (
	Following    Want = "following"
	Unsubscribed Want = "unsubscribed"
	Undecodable  Want = "undecodable"
	InvalidID    Want = "invalid_openid"
	WrongAccount Want = "wrong_account"
	Rejected     Want = "rejected"
)

// Event is one message to publish and what is to become of it.
type Event struct {
	Msg    *nats.Msg
	ID     string // the event id that the answer must carry
	OpenID string // empty where there is none
	Want   Want
}

// Mix makes the traffic of one account. The same number makes the same event,
// so two runs are alike.
type Mix struct {
	AppID   string
	Prefix  string // of the event ids
	People  People
	Persons int  // how many people take part; 0 is one for each event
	Clean   bool // nothing goes wrong
}

// How often something goes wrong: one event in so many.
const (
	everyInvalid     = 211
	everyUndecodable = 503
	everyWrong       = 701
	everyRejected    = 199
	everyUnsubscribe = 53
)

// Event makes the i-th event.
func (m Mix) Event(i int) Event {
	person := i
	if m.Persons > 0 {
		person = i % m.Persons
	}
	e := Event{ID: fmt.Sprintf("%s%d", m.Prefix, i), OpenID: m.People.OpenID(person), Want: Following}
	subject := "wx.events." + m.AppID + ".subscribe"
	kind := "subscribe"
	fault := func(every int) bool { return !m.Clean && i%every == every-1 }
	switch {
	case fault(everyUndecodable):
		e.Msg = &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Msg-Id": {e.ID}, "Content-Type": {"application/json"}}, Data: []byte(`{"openid":`)}
		e.OpenID, e.Want = "", Undecodable
		return e
	case fault(everyInvalid):
		e.OpenID, e.Want = "not an openid", InvalidID
	case fault(everyRejected):
		e.OpenID, e.Want = m.People.BadOpenID(i), Rejected
	case fault(everyUnsubscribe):
		kind, e.Want = "unsubscribe", Unsubscribed
	}
	if fault(everyWrong) && e.Want == Following {
		e.Msg = jsonEvent(subject, map[string]any{"id": e.ID, "openid": e.OpenID, "appid": "wxsomebodyelses0"})
		e.Want = WrongAccount
		return e
	}
	e.Msg = encode(subject, kind, e.ID, e.OpenID, i)
	return e
}

// encode chooses the form by i, so that all of them take turns. A bare openid
// cannot say its type.
func encode(subject, kind, id, openid string, i int) *nats.Msg {
	at := time.Unix(1_790_000_000+int64(i), 0).UTC()
	switch form := i % 6; {
	case form == 1 && kind == "subscribe":
		return &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Msg-Id": {id}}, Data: []byte(openid)}
	case form == 2:
		data, err := msgpack.Marshal(map[string]any{"id": id, "openid": openid, "type": kind, "time": at.Unix(), "meta": map[string]any{"n": i}})
		if err != nil {
			panic(err) // of plain values
		}
		return &nats.Msg{Subject: subject, Header: nats.Header{"Content-Type": {"application/msgpack"}}, Data: data}
	case form == 3:
		xml := "<xml><ToUserName><![CDATA[gh_3f]]></ToUserName><FromUserName><![CDATA[" + openid + "]]></FromUserName><CreateTime>" +
			fmt.Sprint(at.Unix()) + "</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + kind +
			"]]></Event><EventKey><![CDATA[qrscene_" + fmt.Sprint(i%1000) + "]]></EventKey><Ticket><![CDATA[gQH47joAAAAA]]></Ticket></xml>"
		return &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Msg-Id": {id}}, Data: []byte(xml)}
	case form == 4:
		return jsonEvent(subject, map[string]any{
			"specversion": "1.0", "id": id, "source": "/demo", "type": kind, "time": at.Format(time.RFC3339),
			"data": map[string]any{"openid": openid},
		})
	case form == 5:
		return &nats.Msg{Subject: subject, Header: nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {id}, "ce-source": {"/demo"}, "ce-type": {kind}, "ce-subject": {openid},
		}}
	}
	return jsonEvent(subject, map[string]any{"id": id, "openid": openid, "type": kind, "meta": map[string]any{"page": "活动 " + strings.Repeat("🎉", i%3)}})
}

func jsonEvent(subject string, fields map[string]any) *nats.Msg {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err) // of plain values
	}
	return &nats.Msg{Subject: subject, Header: nats.Header{}, Data: data}
}
