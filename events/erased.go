package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// SchemaErased names the shape of Erased; within v1 keys are only ever added.
const SchemaErased = "wxenrich.erased.v1"

// Why somebody is erased.
const (
	ErasedByRequest     = "request"
	ErasedByUnsubscribe = "unsubscribe"
)

// Erased is a notice to consumers: a person has been removed from the streams,
// and is to be removed from whatever was made of them. It is JSON, on a subject
// and a stream of its own.
//
// A consumer deletes what it holds of the person from events stored up to UpTo,
// and passes over a record of such an event that reaches it later: see Covers.
// Of later events it keeps all, since who comes back is somebody new.
type Erased struct {
	AppID    string    // the account
	OpenID   string    // the person
	UnionID  string    // the person over all accounts, where a record had told it
	UpTo     time.Time // everything from events stored up to here is to be deleted
	ErasedAt time.Time // when the streams were rid of it
	Cause    string    // "request" or "unsubscribe"
}

// erased is the notice as it is written.
type erased struct {
	Schema   string    `json:"schema"`
	AppID    string    `json:"appid"`
	OpenID   string    `json:"openid"`
	UnionID  string    `json:"unionid,omitempty"`
	UpTo     time.Time `json:"up_to"`
	ErasedAt time.Time `json:"erased_at"`
	Cause    string    `json:"cause,omitempty"`
}

// Covers reports whether a record is of what is to be deleted.
func (e *Erased) Covers(r *Record) bool {
	return r.Event.AppID == e.AppID && r.Event.OpenID == e.OpenID && !r.Event.Source.Time.After(e.UpTo)
}

// Msg makes the notice's message. Its id is the same whoever makes it, so that a
// repeat is dropped.
func (e *Erased) Msg(subject string) *nats.Msg {
	data, err := json.Marshal(erased{SchemaErased, e.AppID, e.OpenID, e.UnionID, e.UpTo.UTC(), e.ErasedAt.UTC(), e.Cause})
	if err != nil {
		panic(err) // times of our own and texts
	}
	w := newHeaderWriter(5)
	w.set(HeaderMsgID, "erased:"+e.AppID+":"+e.OpenID+":"+strconv.FormatInt(e.UpTo.UnixNano(), 10))
	w.set(HeaderContentType, JSON.ContentType())
	w.set(HeaderSchema, SchemaErased)
	w.set(HeaderAppID, e.AppID)
	w.set(HeaderOpenID, e.OpenID)
	return &nats.Msg{Subject: subject, Header: w.h, Data: data}
}

// ParseErased is the inverse of Msg. It passes over keys that it does not know.
func ParseErased(h nats.Header, data []byte) (Erased, error) {
	if schema := h.Get(HeaderSchema); schema != SchemaErased {
		return Erased{}, fmt.Errorf("events: %s is %q, want %s", HeaderSchema, schema, SchemaErased)
	}
	var e erased
	if err := json.Unmarshal(data, &e); err != nil {
		return Erased{}, fmt.Errorf("events: notice of an erased person: %w", err)
	}
	if e.Schema != SchemaErased || e.AppID == "" || e.OpenID == "" || e.UpTo.IsZero() {
		return Erased{}, fmt.Errorf("events: notice of an erased person: schema %q, or no appid, openid or up_to", e.Schema)
	}
	return Erased{e.AppID, e.OpenID, e.UnionID, e.UpTo, e.ErasedAt, e.Cause}, nil
}
