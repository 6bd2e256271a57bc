package events

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a WeChat push. Real ones are two levels deep, three where a menu
// event lists pictures, and a VIEW's EventKey is a URL.
const (
	maxXMLDepth = 8
	maxXMLText  = 2048
)

// push is what we keep of a WeChat push (Receiving event pushes). ToUserName
// is the account's gh_… id rather than its appid, and so never compared.
type push struct {
	fromUserName, createTime, event, eventKey, ticket string

	encrypted bool
}

func (p *push) field(name string) *string {
	switch name {
	case "FromUserName":
		return &p.fromUserName
	case "CreateTime":
		return &p.createTime
	case "Event":
		return &p.event
	case "EventKey":
		return &p.eventKey
	case "Ticket":
		return &p.ticket
	}
	return nil
}

func (d *Decoder) xml(e *Event, data []byte) *Rejection {
	p, err := parsePush(data)
	if err != nil {
		return undecodable("XML " + err.Error())
	}
	if p.fromUserName == "" {
		if p.encrypted {
			return undecodable("XML is an encrypted push: decrypt it before it is published")
		}
		return undecodable("XML has no FromUserName")
	}
	if rejection := e.setTime(item{kind: text, text: p.createTime}); rejection != nil {
		return rejection
	}
	e.setType(item{kind: text, text: p.event})
	e.EventKey, e.Ticket = p.eventKey, p.ticket
	// Of other events the EventKey is a menu's key or URL.
	if scene, scanned := strings.CutPrefix(p.eventKey, "qrscene_"); scanned || p.event == "SCAN" {
		e.Scene = scene
	}
	return e.setOpenID(p.fromUserName)
}

var (
	errNotPush = errors.New("is not a WeChat push: its root is not <xml>")
	errDTD     = errors.New("has a document type, which no push has")
	errNotXML  = errors.New("is malformed")
)

// parsePush reads token by token, so that nothing is built of what we do not
// keep, and knows no entities but XML's own five.
func parsePush(data []byte) (p push, err error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	depth, complete := 0, false
	var into *string
	for {
		tok, err := dec.Token()
		if complete && errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, xmlFault(err)
		}
		switch tok := tok.(type) {
		case xml.Directive:
			return p, errDTD
		case xml.StartElement:
			depth++
			into = nil
			switch {
			case complete:
				return p, errTrailing
			case depth > maxXMLDepth:
				return p, errDeep
			case depth == 1 && tok.Name.Local != "xml":
				return p, errNotPush
			case depth == 2:
				into = p.field(tok.Name.Local)
				p.encrypted = p.encrypted || tok.Name.Local == "Encrypt"
			}
			if into != nil {
				*into = ""
			}
		case xml.CharData:
			if complete && len(bytes.TrimSpace(tok)) > 0 {
				return p, errTrailing
			}
			if into == nil {
				continue
			}
			if len(*into)+len(tok) > maxXMLText {
				return p, fmt.Errorf("has a field of more than %d bytes", maxXMLText)
			}
			*into += string(tok)
		case xml.EndElement:
			depth--
			if into != nil {
				*into = strings.TrimSpace(*into)
				into = nil
			}
			complete = depth == 0
		}
	}
}

// xmlFault keeps the line and drops the message, which may quote the payload.
func xmlFault(err error) error {
	if errors.Is(err, io.EOF) {
		return errTruncated
	}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("%w at line %d", errNotXML, syntax.Line)
	}
	return errNotXML
}
