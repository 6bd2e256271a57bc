package events

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// DefaultMaxPayload is the largest input that is looked into, in bytes.
const DefaultMaxPayload = 256 << 10

// Bounds of what goes on into headers and subjects, in bytes.
const (
	maxID   = 256
	maxType = 128
)

// Decoder reads inputs of one account in all forms there are. It has no state:
// one Decoder may be used by many goroutines as long as its fields stay.
type Decoder struct {
	// AppID is the account that owns the subject. An event that names another
	// one is a WrongAccount. When empty, events name their account themselves.
	AppID string
	// Fields maps names of the JSON and msgpack form (InputFields) to paths of
	// keys, separated by dots, for producers that exist already: {"openid":
	// "data.openId"}. Paths start at the top of the payload, also of a
	// structured CloudEvent. A name that is mapped is read there only.
	Fields map[string]string
	// MaxPayload is in bytes; 0 means DefaultMaxPayload.
	MaxPayload int
}

var inputFields = []string{"openid", "id", "appid", "type", "time", "lang", "meta"}

// InputFields lists the names that Decoder.Fields may map.
func InputFields() []string { return slices.Clone(inputFields) }

// Validate reports all faults of the Decoder's settings.
func (d *Decoder) Validate() error {
	var errs []error
	if d.AppID != "" && !ValidAppID(d.AppID) {
		errs = append(errs, fmt.Errorf("appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", d.AppID))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		path := d.Fields[name]
		if !slices.Contains(inputFields, name) {
			errs = append(errs, fmt.Errorf("fields: unknown name %q: want one of %s", name, strings.Join(inputFields, ", ")))
		}
		if slices.Contains(strings.Split(path, "."), "") {
			errs = append(errs, fmt.Errorf("fields: %s: path %q has an empty key", name, path))
		}
	}
	if d.MaxPayload < 0 {
		errs = append(errs, fmt.Errorf("max payload %d: want bytes, or 0 for %d", d.MaxPayload, DefaultMaxPayload))
	}
	return errors.Join(errs...)
}

// Decode reads one input. The error is always a *Rejection; the Event then
// still has its Source, AppID, Type and ID as far as they are known, for the
// dead letter. Meta and all strings are copies: m.Data may be used again.
//
// An event is refused for an openid, appid, id or time that cannot be meant;
// an unknown lang, and a type that is no short text, are passed over, since
// the event can be answered without.
func (d *Decoder) Decode(m Message) (Event, error) {
	e := Event{AppID: d.AppID, Source: m.Source}
	rejection := d.read(&e, m)
	if rejection == nil && e.OpenID == "" {
		rejection = undecodable("no openid in it")
	}
	if e.Type == "" {
		e.Type = m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	}
	if e.ID == "" {
		id, ok := cleanID(m.Header.Get(HeaderMsgID))
		if !ok && rejection == nil {
			rejection = undecodable("the " + HeaderMsgID + " header is no usable id")
		}
		if e.ID = id; !ok || id == "" {
			e.ID = m.Source.eventID()
		}
	}
	if rejection != nil {
		return e, rejection
	}
	return e, nil
}

func (d *Decoder) read(e *Event, m Message) *Rejection {
	limit := d.MaxPayload
	if limit == 0 {
		limit = DefaultMaxPayload
	}
	if len(m.Data) > limit {
		return undecodable(fmt.Sprintf("payload of %d bytes, limit %d", len(m.Data), limit))
	}
	data := bytes.TrimPrefix(m.Data, []byte("\uFEFF"))
	if len(m.Header) == 0 {
		return d.payload(e, mediaUnknown, data, true)
	}
	form := mediaType(contentType(m.Header))
	if form != mediaCloudEvent && isBinaryCloudEvent(m.Header) {
		return d.binaryCloudEvent(e, form, m.Header, data)
	}
	return d.payload(e, form, data, true)
}

// payload reads data of a form that is known, or else told by its first byte.
// envelope says whether it may be a structured CloudEvent: what is inside one
// may not.
func (d *Decoder) payload(e *Event, form media, data []byte, envelope bool) *Rejection {
	if form == mediaUnknown {
		form = sniff(data)
	}
	switch form {
	case mediaXML:
		return d.xml(e, data)
	case mediaText:
		return e.readText(data)
	case mediaMsgpack:
		s := string(data)
		if err := checkMsgpack(s, maxDepth); err != nil {
			return undecodable("msgpack " + err.Error())
		}
		if !isMapCode(s[0]) {
			return undecodable("msgpack: want a map")
		}
		return d.object(e, Msgpack, s)
	}
	if err := checkJSON(data, maxDepth); err != nil {
		return undecodable("JSON " + err.Error())
	}
	s := string(bytes.TrimLeft(data, " \t\r\n"))
	if s[0] != '{' {
		return undecodable("JSON: want an object")
	}
	if envelope && (form == mediaCloudEvent || strings.Contains(s, `"specversion"`) && lookup(JSON, s, "specversion").kind == text) {
		return d.structuredCloudEvent(e, s)
	}
	return d.object(e, JSON, s)
}

// object reads the JSON and msgpack form. It reads on after a fault, and
// reports the first: the dead letter wants the id, wherever that stands.
func (d *Decoder) object(e *Event, f Format, s string) *Rejection {
	return cmp.Or(d.named(e, f, s), d.mapped(e, f, s))
}

// named reads the fields that go by our own names.
func (d *Decoder) named(e *Event, f Format, s string) (rejection *Rejection) {
	eachKey(f, s, func(key string, it item) bool {
		if _, mapped := d.Fields[key]; !mapped {
			rejection = cmp.Or(rejection, d.set(e, f, key, it))
		}
		return true
	})
	return rejection
}

// mapped reads the fields that are somewhere else in this account's payloads.
func (d *Decoder) mapped(e *Event, f Format, s string) (rejection *Rejection) {
	if len(d.Fields) == 0 {
		return nil
	}
	for _, name := range inputFields { // in an order, so that a fault is always the same one
		path, ok := d.Fields[name]
		if !ok {
			continue
		}
		rejection = cmp.Or(rejection, d.set(e, f, name, lookup(f, s, path)))
	}
	return rejection
}

// readText reads a bare openid, which is what nats pub makes easy to send.
func (e *Event) readText(data []byte) *Rejection {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return undecodable("empty payload")
	}
	if !utf8.Valid(data) {
		return undecodable("text holds invalid UTF-8")
	}
	return e.setOpenID(string(data))
}
