package events

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// Append appends the event to b as a producer writes it: openid, and what is
// set of id, appid, type, time, lang and meta. The other fields are not the
// producer's to say. It fails only on a Value that is none.
func (e *Event) Append(b []byte, f Format) ([]byte, error) {
	w := mapWriter{codec: codecOf(f), b: b}
	top := w.open()
	w.text("openid", e.OpenID)
	w.text("id", e.ID)
	w.text("appid", e.AppID)
	w.text("type", e.Type)
	w.instant("time", e.Time, false)
	w.text("lang", e.Lang)
	if !e.Meta.IsZero() {
		w.value("meta", e.Meta)
	}
	w.end(top)
	if w.err != nil {
		return b, fmt.Errorf("event: %w", w.err)
	}
	return w.b, nil
}

// Msg makes the message that a producer publishes. The Nats-Msg-Id is the
// account and the id, so that producers of several accounts cannot take each
// other's events for a repeat; without an id there is none.
func (e *Event) Msg(subject string, f Format) (*nats.Msg, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("events: event: %w", err)
	}
	data, err := e.Append(nil, f)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: subject, Header: nats.Header{HeaderContentType: {f.ContentType()}}, Data: data}
	if e.ID != "" {
		m.Header[HeaderMsgID] = []string{e.AppID + ":" + e.ID}
	}
	return m, nil
}

// check finds what the service would only make a dead letter of.
func (e *Event) check() error {
	id, ok := cleanID(e.ID)
	switch {
	case !ValidOpenID(e.OpenID):
		return errors.New("openid: want 20 to 64 of A-Z a-z 0-9 _ -")
	case !ValidAppID(e.AppID):
		return errors.New("appid: want 1 to 64 of A-Z a-z 0-9 _ -")
	case !ok || id != e.ID:
		return fmt.Errorf("id: want at most %d bytes without control characters or white space around", maxID)
	case len(e.Type) > maxType || hasControl(e.Type) || !utf8.ValidString(e.Type):
		return fmt.Errorf("type: want at most %d bytes without control characters", maxType)
	case !e.Time.IsZero() && !inCalendar(e.Time):
		return errors.New("time: want one after 1970")
	}
	return nil
}
