package events

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// cloudEvent holds the attributes of a CloudEvent 1.0 that say something about
// our event. Its data says more, and wins where both speak.
type cloudEvent struct {
	id, eventType, time, subject item
}

// binaryCloudEvent reads the binary mode: attributes in ce- headers, the
// message is the data.
func (d *Decoder) binaryCloudEvent(e *Event, form media, h nats.Header, data []byte) *Rejection {
	attribute := func(name string) item {
		if s := ceHeader(h, name); s != "" {
			return item{kind: text, text: s}
		}
		return item{}
	}
	if form == mediaUnknown {
		form = mediaType(ceHeader(h, "datacontenttype"))
	}
	ce := cloudEvent{attribute("id"), attribute("type"), attribute("time"), attribute("subject")}
	return d.cloudEvent(e, ce, func() *Rejection { return d.ceData(e, form, data) })
}

// structuredCloudEvent reads the JSON event format, an object that has passed
// checkJSON.
func (d *Decoder) structuredCloudEvent(e *Event, s string) *Rejection {
	var ce cloudEvent
	var version, contentType, data, base64 item
	eachKey(JSON, s, func(key string, it item) bool {
		switch key {
		case "specversion":
			version = it
		case "id":
			ce.id = it
		case "type":
			ce.eventType = it
		case "time":
			ce.time = it
		case "subject":
			ce.subject = it
		case "datacontenttype":
			contentType = it
		case "data":
			data = it
		case "data_base64":
			base64 = it
		}
		return true
	})
	if version.string() == "" {
		return undecodable("CloudEvent without a specversion")
	}
	return d.cloudEvent(e, ce, func() (rejection *Rejection) {
		form := mediaType(contentType.string())
		switch {
		case data.kind == object:
			rejection = d.named(e, JSON, data.raw)
		case data.kind == text:
			rejection = d.ceData(e, form, []byte(data.text))
		case base64.kind == text:
			rejection = d.ceBase64(e, form, base64.text)
		}
		if rejection != nil {
			return rejection
		}
		return d.mapped(e, JSON, s)
	})
}

func (d *Decoder) cloudEvent(e *Event, ce cloudEvent, readData func() *Rejection) *Rejection {
	for _, a := range [...]struct {
		name string
		item
	}{{"id", ce.id}, {"type", ce.eventType}, {"time", ce.time}} {
		if rejection := d.set(e, JSON, a.name, a.item); rejection != nil {
			return rejection
		}
	}
	if rejection := readData(); rejection != nil {
		return rejection
	}
	if e.OpenID != "" {
		return nil
	}
	return d.set(e, JSON, "openid", ce.subject)
}

func (d *Decoder) ceBase64(e *Event, form media, data string) *Rejection {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return undecodable("data_base64 is not base64")
	}
	return d.ceData(e, form, b)
}

// ceData reads data as if it were a payload. Text that is no openid is some
// other application's data, with the openid in the event's subject.
func (d *Decoder) ceData(e *Event, form media, data []byte) *Rejection {
	if form == mediaUnknown {
		form = sniff(data)
	}
	if form == mediaText {
		if s := strings.TrimSpace(string(data)); ValidOpenID(s) {
			e.OpenID = s
		}
		return nil
	}
	return d.payload(e, form, data, false)
}

func isBinaryCloudEvent(h nats.Header) bool {
	return len(h["ce-specversion"]) > 0 || len(h["Ce-Specversion"]) > 0
}

// ceHeader reads an attribute's header: lower case by the binding for NATS,
// as HTTP writes it when a bridge made it. Values are percent-encoded as in
// the binding for HTTP.
func ceHeader(h nats.Header, attribute string) string {
	v := h["ce-"+attribute]
	if len(v) == 0 {
		v = h["Ce-"+strings.ToUpper(attribute[:1])+attribute[1:]]
	}
	if len(v) == 0 {
		return ""
	}
	if strings.IndexByte(v[0], '%') >= 0 {
		if s, err := url.PathUnescape(v[0]); err == nil {
			return s
		}
	}
	return v[0]
}
