package events

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Event is one thing that happened to a follower: the input, decoded.
// Only OpenID is always there; a zero field was not stated by the producer.
type Event struct {
	ID       string    // payload id, else ce-id, else Nats-Msg-Id, else <stream>-<seq>
	OpenID   string    // the person, within the account: ^[A-Za-z0-9_-]{20,64}$
	AppID    string    // the account that owns the subject
	Type     string    // "subscribe", "unsubscribe", "SCAN" …: payload, else last subject token
	Time     time.Time // when it happened, by the producer
	Lang     string    // "zh_CN", "zh_TW" or "en"; a record has it as Record.Lang
	EventKey string    // WeChat push only: EventKey verbatim, for example "qrscene_7"
	Scene    string    // WeChat push only: what the QR code stands for; EventKey without "qrscene_", or all of a SCAN's
	Ticket   string    // WeChat push only
	Meta     Value     // the producer's own, handed through untouched
	Source   Source    // where the input is stored
}

// Source says where an input is stored; it is the event's identity in the
// pipeline, because unlike a producer's id it cannot repeat.
type Source struct {
	Stream  string    // the stream that holds it
	Seq     uint64    // its sequence there
	Time    time.Time // when the server stored it, to the nanosecond
	Subject string    // the subject it came on
}

// MsgID is the Nats-Msg-Id of whatever answers the input: its stream, sequence
// and stored time, and the replay's id if there is one. The time is part of it
// because a server that lost its tail in a power cut uses a sequence again.
func (s Source) MsgID(replay string) string {
	var room [96]byte
	return string(s.appendMsgID(room[:0], replay))
}

func (s Source) appendMsgID(b []byte, replay string) []byte {
	b = append(append(b, s.Stream...), ':')
	b = strconv.AppendUint(b, s.Seq, 10)
	b = append(b, ':')
	b = strconv.AppendInt(b, s.Time.UnixNano(), 10)
	if replay != "" {
		b = append(b, ':')
		b = append(b, replay...)
	}
	return b
}

// eventID is the id of an event whose producer gave it none.
func (s Source) eventID() string {
	var room [64]byte
	b := append(room[:0], s.Stream...)
	b = append(b, '-')
	return string(strconv.AppendUint(b, s.Seq, 10))
}

// Message is an input as it is stored: what a Decoder reads.
type Message struct {
	Source
	Header nats.Header // may be nil
	Data   []byte
}
