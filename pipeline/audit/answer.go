package audit

import (
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/wxenrich/wxenrich/events"
)

// answer is what a record or dead letter says of itself in its headers.
type answer struct {
	src     events.Source
	replay  string // generation; empty is the live one
	dead    bool
	hop     int
	eventID string
	appid   string
}

// parseAnswer reports false for a message that answers nothing.
func parseAnswer(h nats.Header) (a answer, ok bool) {
	var err error
	a.src, a.replay, a.dead, err = events.ParseMsgID(value(h, events.HeaderMsgID))
	if err != nil {
		return a, false
	}
	if text := value(h, events.HeaderHop); text != "" {
		if a.hop, err = strconv.Atoi(text); err != nil || a.hop < 0 {
			return a, false
		}
	}
	a.appid = value(h, events.HeaderAppID)
	a.eventID = value(h, events.HeaderEventID)
	if a.dead {
		a.eventID = value(h, events.HeaderDeadEventID)
	}
	return a, true
}

// value is a header's first value by its exact name.
func value(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
