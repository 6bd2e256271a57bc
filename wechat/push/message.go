package push

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Message is a push that WeChat has signed.
type Message struct {
	AppID     string // the receiver's
	To        string // the account's gh_ id
	From      string // the person's openid
	Created   string // unix seconds, as WeChat wrote them
	Type      string // MsgType: event, text, image, …
	Event     string // of an event: subscribe, SCAN, …
	Body      []byte // the XML, decrypted
	Encrypted bool   // it was encrypted, so the signature covers it

	eventKey, msgID string
}

// IsEvent tells an event from a message that a person wrote.
func (m *Message) IsEvent() bool { return m.Type == "event" }

// Kind is what an event or a message is called: the Event, else the MsgType.
func (m *Message) Kind() string {
	if m.IsEvent() {
		return m.Event
	}
	return m.Type
}

// ID is the same for WeChat's repeats of a push and differs between any two
// pushes that say different things:
//
//	<appid>|<openid>|<event>|<create time>|<key>
//
// The key is a hash of EventKey and MsgID, "-" where there are neither. Openid
// and time alone are not enough: times are whole seconds, and a LOCATION comes
// in the same second as a subscribe. It has no white space or control
// characters, whatever was sent.
func (m *Message) ID() string {
	parts := []string{m.AppID, m.From, m.Kind(), m.Created, "-"}
	var hashed strings.Builder
	hashed.WriteString(m.eventKey + "\x00" + m.msgID)
	for i, p := range parts {
		if parts[i] = token(p); parts[i] != p {
			hashed.WriteString("\x00" + p) // what was replaced still has to count
		}
	}
	if hashed.String() != "\x00" {
		sum := sha256.Sum256([]byte(hashed.String()))
		parts[len(parts)-1] = hex.EncodeToString(sum[:8])
	}
	return strings.Join(parts, "|")
}

// ID is the [Message.ID] that a message of an account's will have: of one that
// is about to be pushed, or that was published by other means than this package.
// Nothing of it is verified.
func ID(appid string, message []byte) (string, error) {
	f, err := parse(message)
	if err != nil {
		return "", err
	}
	m := Message{AppID: appid}
	m.fill(f)
	return m.ID(), nil
}

func (m *Message) fill(f fields) {
	m.To, m.From, m.Created, m.Type, m.Event = f.to, f.from, f.created, f.msgType, f.event
	m.eventKey, m.msgID = f.eventKey, f.msgID
}

// maxToken is longer than any openid or event's name.
const maxToken = 64

// token is s with every byte outside [A-Za-z0-9_-] replaced, and not too long.
func token(s string) string {
	b := []byte(s[:min(len(s), maxToken)])
	for i, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			b[i] = '_'
		}
	}
	return string(b)
}
