package push

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// Envelope is the body of a push as it came. Nothing in it is to be believed
// before [Receiver.Open].
type Envelope struct {
	fields
	body []byte
}

// To is the gh_ id of the account that the push is for, empty if there is none.
// It selects the receiver whose token then has to fit.
func (e *Envelope) To() string { return e.to }

// fields is what is read of a message; the rest is handed on unread.
type fields struct {
	to, from, created, msgType, event, eventKey, msgID, encrypt string
}

func (f *fields) named(name string) *string {
	switch name {
	case "ToUserName":
		return &f.to
	case "FromUserName":
		return &f.from
	case "CreateTime":
		return &f.created
	case "MsgType":
		return &f.msgType
	case "Event":
		return &f.event
	case "EventKey":
		return &f.eventKey
	case "MsgId", "MsgID": // of messages; of TEMPLATESENDJOBFINISH
		return &f.msgID
	case "Encrypt":
		return &f.encrypt
	}
	return nil
}

// Bounds of a push. Real ones are two levels deep, three where a menu event
// lists pictures, and the longest field is a VIEW's EventKey, a URL.
const (
	maxDepth = 8
	maxField = 2048
)

// ParseEnvelope reads a body, whose size the caller has bounded. body is kept.
func ParseEnvelope(body []byte) (*Envelope, error) {
	f, err := parse(body)
	if err != nil {
		return nil, err
	}
	return &Envelope{f, body}, nil
}

// parse reads token by token, so that nothing is built of what is not kept, and
// knows no entities but XML's own five. A field that is there twice is refused:
// what is signed must not depend on which of them a reader takes.
func parse(body []byte) (f fields, err error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	depth, complete := 0, false
	seen := map[*string]bool{}
	var into *string
	var value []byte
	for {
		token, err := d.Token()
		if complete && errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, refuse(Malformed, "the body is not XML")
		}
		switch token := token.(type) {
		case xml.Directive:
			return f, refuse(Malformed, "the body has a document type, which no push has")
		case xml.StartElement:
			depth++
			into, value = nil, value[:0]
			switch {
			case complete:
				return f, refuse(Malformed, "the body goes on after its end")
			case depth > maxDepth:
				return f, refuse(Malformed, "the body is nested too deeply")
			case depth == 1 && token.Name.Local != "xml":
				return f, refuse(Malformed, "the body's root is not <xml>")
			case depth == 2:
				into = f.named(token.Name.Local)
			}
			if into != nil && seen[into] {
				return f, refuse(Malformed, "the body has a field twice")
			}
			seen[into] = true
		case xml.CharData:
			switch {
			case complete && len(bytes.TrimSpace(token)) > 0:
				return f, refuse(Malformed, "the body goes on after its end")
			case into == nil:
			case into != &f.encrypt && len(value)+len(token) > maxField:
				return f, refuse(Malformed, "the body has a field of more than %d bytes", maxField)
			default:
				value = append(value, token...)
			}
		case xml.EndElement:
			depth--
			if into != nil {
				*into = string(bytes.TrimSpace(value))
				into = nil
			}
			complete = depth == 0
		}
	}
}
