package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// deadPrefix marks the message id of a dead letter.
const deadPrefix = "dead:"

// ParseMsgID is the inverse of Source.MsgID, and of the id of a dead letter,
// which has "dead:" before it; the Source has no Subject. It is exact for every
// stream that ValidStreamName and every replay that ValidReplayID admits: it
// reads from the end, because NATS allows colons in the names of streams.
func ParseMsgID(id string) (src Source, replay string, dead bool, err error) {
	rest, dead := strings.CutPrefix(id, deadPrefix)
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
	if err != nil || src.MsgID(replay) != strings.TrimPrefix(id, deadPrefix) || !ValidStreamName(stream) {
		return Source{}, "", false, fmt.Errorf("events: message id %q: want [%s]<stream>:<seq>:<unix ns>[:<replay>]", id, deadPrefix)
	}
	return src, replay, dead, nil
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, ':')
	return s[:max(i, 0)], s[i+1:]
}
