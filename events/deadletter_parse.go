package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ParseDeadLetter is the inverse of DeadLetter.Msg: the Message has the
// producer's headers again, by their own names.
func ParseDeadLetter(h nats.Header, data []byte) (DeadLetter, error) {
	p := headerParser{h: h}
	d := DeadLetter{
		Message: Message{
			Source: Source{
				Stream:  p.text(HeaderSrcStream),
				Seq:     p.count(HeaderSrcSeq),
				Time:    p.instant(HeaderSrcTime),
				Subject: p.text(HeaderSrcSubject),
			},
			Header: producerHeaders(h),
			Data:   data,
		},
		EventID:   p.text(HeaderDeadEventID),
		AppID:     p.text(HeaderAppID),
		Reason:    Reason(p.text(HeaderDeadReason)),
		Code:      p.int(HeaderDeadCode),
		Detail:    p.text(HeaderDeadMessage),
		Attempts:  p.int(HeaderDeadAttempts),
		Time:      p.instant(HeaderDeadTime),
		Replay:    p.text(HeaderReplay),
		Hop:       p.int(HeaderHop),
		Truncated: p.int(HeaderDeadTruncated),
	}
	if p.err == nil && (d.Message.Stream == "" || d.Message.Seq == 0 || d.Reason == "") {
		p.err = fmt.Errorf("headers %s, %s and %s are needed", HeaderSrcStream, HeaderSrcSeq, HeaderDeadReason)
	}
	if p.err != nil {
		return DeadLetter{}, fmt.Errorf("events: dead letter: %w", p.err)
	}
	return d, nil
}

// producerHeaders undoes the renaming and leaves ours out; nil when none is left.
func producerHeaders(h nats.Header) nats.Header {
	var orig nats.Header
	for name, values := range h {
		name, renamed := strings.CutPrefix(name, OrigPrefix)
		if !renamed && reserved(name) || name == "" {
			continue
		}
		if orig == nil {
			orig = make(nats.Header)
		}
		orig[name] = append(orig[name], values...)
	}
	return orig
}

// headerParser reads headers and keeps the first fault.
type headerParser struct {
	h   nats.Header
	err error
}

func (p *headerParser) text(name string) string { return p.h.Get(name) }

func (p *headerParser) fault(name, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("header %s: want %s", name, want)
	}
}

func (p *headerParser) count(name string) uint64 {
	s := p.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		p.fault(name, "a count")
	}
	return n
}

func (p *headerParser) int(name string) int {
	s := p.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		p.fault(name, "an integer")
	}
	return n
}

func (p *headerParser) instant(name string) time.Time {
	s := p.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		p.fault(name, "RFC 3339")
	}
	return t.UTC()
}
