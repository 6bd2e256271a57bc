package main

import (
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// deadJSON is a letter for scripts. Keys are added, never renamed.
type deadJSON struct {
	Seq       uint64        `json:"seq"`
	Stored    time.Time     `json:"stored"`
	Subject   string        `json:"subject"`
	AppID     string        `json:"appid"`
	Reason    events.Reason `json:"reason"`
	Code      int           `json:"errcode,omitempty"`
	Detail    string        `json:"message,omitempty"`
	Advice    string        `json:"advice"`
	Attempts  int           `json:"attempts"`
	Died      time.Time     `json:"died,omitzero"`
	EventID   string        `json:"event_id"`
	Replay    string        `json:"replay,omitempty"`
	Hop       int           `json:"hop,omitempty"`
	Truncated int           `json:"truncated,omitempty"` // bytes before its end was cut
	Source    deadSource    `json:"source"`

	*deadBody
}

type deadSource struct {
	Stream  string    `json:"stream"`
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
}

// deadBody is what the producer sent: text, or bytes in base64.
type deadBody struct {
	Headers nats.Header `json:"headers,omitempty"`
	Data    *string     `json:"data,omitempty"`
	Bytes   []byte      `json:"data_base64,omitempty"`
	Event   *deadEvent  `json:"event,omitempty"`
	Fault   string      `json:"event_fault,omitempty"` // why it cannot be read
}

// deadEvent is what we read in it today.
type deadEvent struct {
	OpenID string    `json:"openid"`
	Type   string    `json:"type,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	Lang   string    `json:"lang,omitempty"`
}

func newDeadJSON(l *dead.Letter) deadJSON {
	src := l.Message.Source
	return deadJSON{
		Seq: l.Seq, Stored: l.Stored, Subject: l.Subject, AppID: l.AppID, Reason: l.Reason, Code: l.Code, Detail: l.Detail,
		Advice: l.Advice(), Attempts: l.Attempts, Died: l.Time, EventID: l.EventID, Replay: l.Replay, Hop: l.Hop, Truncated: l.Truncated,
		Source: deadSource{Stream: src.Stream, Seq: src.Seq, Time: src.Time, Subject: src.Subject},
	}
}

// withBody adds what the producer sent, as d reads it.
func (j deadJSON) withBody(l *dead.Letter, d *events.Decoder) deadJSON {
	j.deadBody = &deadBody{Headers: l.Message.Header}
	if data := l.Message.Data; utf8.Valid(data) {
		text := string(data)
		j.Data = &text
	} else {
		j.Bytes = data
	}
	if e, err := l.Event(d); err != nil {
		j.Fault = err.Error()
	} else {
		j.Event = &deadEvent{OpenID: e.OpenID, Type: e.Type, Time: e.Time, Lang: e.Lang}
	}
	return j
}
