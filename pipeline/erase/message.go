package erase

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// A Kind is what a message is to us.
type Kind string

// The kinds.
const (
	KindEvent  Kind = "event" // also a message that somebody wrote to the account
	KindRecord Kind = "record"
	KindLetter Kind = "dead_letter"
	KindPlace  Kind = "place_in_list" // of followers, of whom there are many in a message
)

// message is what one says of whom it is about.
type message struct {
	kind    Kind
	openid  string
	unionid string        // of a record
	at      time.Time     // when the event was stored that it is, or goes back to
	source  events.Source // that event
	follows bool          // the person follows, as of then
	maybe   []string      // of what cannot be read: whatever in it could be an openid
}

// reader reads the messages of one account, whatever they are.
type reader struct {
	appid   string
	decoder events.Decoder
}

// read reports false for what is about nobody, or of another account.
func (r *reader) read(m jetstream.Msg, meta *jetstream.MsgMetadata) (message, bool) {
	h := m.Headers()
	schema := value(h, events.HeaderSchema)
	switch {
	case schema == events.SchemaErased:
		return message{}, false
	case value(h, events.HeaderDeadReason) != "":
		letter, ok := dead.Parse(meta.Sequence.Stream, meta.Timestamp, m.Subject(), h, m.Data())
		if !ok || letter.AppID != r.appid {
			return message{}, false
		}
		x := r.event(letter.Message)
		x.kind = KindLetter
		return x, true
	case schema != "" && value(h, events.HeaderOpenID) != "":
		return r.record(m, meta)
	}
	return r.event(events.Message{
		Source: events.Source{Stream: meta.Stream, Seq: meta.Sequence.Stream, Time: meta.Timestamp, Subject: m.Subject()},
		Header: h, Data: m.Data(),
	}), true
}

// record reads a record, by its headers as far as they go.
func (r *reader) record(m jetstream.Msg, meta *jetstream.MsgMetadata) (message, bool) {
	h := m.Headers()
	if value(h, events.HeaderAppID) != r.appid {
		return message{}, false
	}
	x := message{
		kind: KindRecord, openid: value(h, events.HeaderOpenID), at: meta.Timestamp,
		follows: value(h, events.HeaderStatus) == string(events.Following),
	}
	if src, _, _, err := events.ParseMsgID(value(h, events.HeaderMsgID)); err == nil {
		x.at, x.source = src.Time, src
	}
	if full, err := events.ParseRecord(h, m.Data()); err == nil {
		x.unionid = full.UnionID
	}
	return x, true
}

// event reads an event as its producer sent it.
func (r *reader) event(m events.Message) message {
	e, _ := r.decoder.Decode(m) // what cannot be read is about somebody all the same
	x := message{kind: KindEvent, openid: e.OpenID, at: m.Source.Time, source: m.Source, follows: strings.EqualFold(e.Type, "subscribe")}
	if e.OpenID == "" {
		x.follows = false
		for _, text := range []string{string(m.Data), value(m.Header, events.HeaderMsgID)} {
			x.maybe = slices.AppendSeq(x.maybe, MayName(text))
		}
	}
	return x
}

// MayName is whom a text may name: every word of it that may be an openid.
// Producers make ids of them.
func MayName(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for word := range strings.FieldsFuncSeq(text, notOfOpenID) {
			if events.ValidOpenID(word) && !yield(word) {
				return
			}
		}
	}
}

func notOfOpenID(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
}

// value is a header's first value by its exact name.
func value(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
