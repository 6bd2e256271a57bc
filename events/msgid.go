package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// deadPrefix marks the message id of a dead letter, hopMark its hop.
const (
	deadPrefix = "dead:"
	hopMark    = "#"
)

// MsgID is the Nats-Msg-Id of the dead letter: "dead:" and the id of a record of
// the same event. The hop of a redrive is part of it ("#1" at the end), so that
// one who dies again is stored while the stream still remembers the letter
// before: else that one would be taken for its answer and removed, and with it
// the event.
func (d *DeadLetter) MsgID() string {
	id := deadPrefix + d.Message.Source.MsgID(d.Replay)
	if d.Hop > 0 {
		id += hopMark + strconv.Itoa(d.Hop)
	}
	return id
}

// ParseMsgID is the inverse of Source.MsgID, and of DeadLetter.MsgID but for the
// hop, which is in HeaderHop; the Source has no Subject. It is exact for every
// stream that ValidStreamName and every replay that ValidReplayID admits: it
// reads from the end, because NATS allows colons in the names of streams.
func ParseMsgID(id string) (src Source, replay string, dead bool, err error) {
	rest, dead := strings.CutPrefix(id, deadPrefix)
	if dead {
		rest = cutHop(rest)
	}
	plain := rest
	rest, last := cutLast(rest)
	if ValidReplayID(last) {
		replay = last
		rest, last = cutLast(rest)
	}
	stream, seq := cutLast(rest)
	src.Stream = stream
	nanos, err := strconv.ParseInt(last, 10, 64)
	if err == nil {
		src.Time = time.Unix(0, nanos).UTC()
		src.Seq, err = strconv.ParseUint(seq, 10, 64)
	}
	if err != nil || src.MsgID(replay) != plain || !ValidStreamName(stream) {
		return Source{}, "", false, fmt.Errorf("events: message id %q: want [%s]<stream>:<seq>:<unix ns>[:<replay>][%s<hop>]", id, deadPrefix, hopMark)
	}
	return src, replay, dead, nil
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, ':')
	return s[:max(i, 0)], s[i+1:]
}

// cutHop leaves a hop out. A mark in the name of a stream is none: what follows
// it is no count.
func cutHop(id string) string {
	i := strings.LastIndex(id, hopMark)
	if i < 0 {
		return id
	}
	if hop, err := strconv.Atoi(id[i+1:]); err != nil || hop < 1 || strconv.Itoa(hop) != id[i+1:] {
		return id
	}
	return id[:i]
}
