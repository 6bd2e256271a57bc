package events

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// DeadLetter is an input that gets no record: the original message and why.
type DeadLetter struct {
	Message  Message // as it was stored, with the producer's own headers
	EventID  string
	AppID    string
	Reason   Reason
	Code     int       // WeChat's errcode; 0 when it was not WeChat who refused
	Detail   string    // for a person; redacted by whoever sets it
	Attempts int       // calls that were made for it
	Time     time.Time // when it was given up
	Replay   string    // id of the replay it was part of, else empty

	Hop int // how many redrives led here

	// Limit is the most bytes the whole message may have, headers included,
	// as in the server's max_payload; 0 is no limit. A larger one loses the
	// end of its body, and the producer's headers if it still does not fit.
	Limit int
	// Truncated is the original size of a body that was cut, else 0; such a
	// dead letter cannot be tried again.
	Truncated int
}

// Msg makes the message to be stored. It takes no exception at what a
// producer sent, or the dead letter would be stuck in turn: headers that
// command the server or pass for ours are renamed (OrigPrefix), their names
// are made valid, their line breaks blanks.
func (d *DeadLetter) Msg(subject string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Header: d.headers(d.Message.Header), Data: d.Message.Data}
	if d.Truncated != 0 {
		m.Header[HeaderDeadTruncated] = []string{strconv.Itoa(d.Truncated)}
	}
	if d.Limit == 0 || headerSize(m.Header)+len(m.Data) <= d.Limit {
		return m
	}
	if headerSize(m.Header) > d.Limit/2 {
		m.Header = d.headers(nil)
	}
	if m.Header[HeaderDeadTruncated] == nil {
		m.Header[HeaderDeadTruncated] = []string{strconv.Itoa(max(len(m.Data), d.Truncated))}
	}
	m.Data = m.Data[:min(len(m.Data), max(0, d.Limit-headerSize(m.Header)))]
	return m
}

func (d *DeadLetter) headers(producer nats.Header) nats.Header {
	w := newHeaderWriter(len(producer) + 16)
	for name, values := range producer {
		name = safeName(name)
		for _, v := range values {
			w.h[name] = append(w.h[name], oneLine(v))
		}
	}
	src := d.Message.Source
	w.set(HeaderMsgID, d.MsgID())
	w.set(HeaderAppID, oneLine(d.AppID))
	w.source(src)
	w.set(HeaderSrcSubject, src.Subject)
	w.set(HeaderReplay, d.Replay)
	w.set(HeaderDeadReason, string(d.Reason))
	w.set(HeaderDeadMessage, oneLine(d.Detail))
	w.set(HeaderDeadEventID, oneLine(d.EventID))
	w.set(HeaderDeadAttempts, strconv.Itoa(d.Attempts))
	if d.Code != 0 {
		w.set(HeaderDeadCode, strconv.Itoa(d.Code))
	}
	if !d.Time.IsZero() {
		w.set(HeaderDeadTime, string(appendTime(nil, d.Time, false)))
	}
	if d.Hop != 0 {
		w.set(HeaderHop, strconv.Itoa(d.Hop))
	}
	return w.h
}

// safeName is the name under which a producer's header goes on. Bytes that
// nats.go refuses to publish (by ADR-4 and its own list) become '_'.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`"()/,:;<=>?@[\]{}`, r) {
			return '_'
		}
		return r
	}, name)
	if reserved(name) || name == "" {
		return OrigPrefix + name
	}
	return name
}

func reserved(name string) bool {
	for _, prefix := range [...]string{"Nats-", "Wx-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func oneLine(s string) string { return strings.TrimSpace(lineBreaks.Replace(s)) }

// headerSize is how many bytes h takes on the wire.
func headerSize(h nats.Header) int {
	n := len("NATS/1.0\r\n\r\n")
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}
