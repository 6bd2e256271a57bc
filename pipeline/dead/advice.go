package dead

import (
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

var meanings = map[events.Reason][2]string{
	events.Undecodable:   {"the payload is none of the accepted forms, or too large to look at", "mend the producer, or say where it keeps the openid with input.fields; then redrive"},
	events.WrongAccount:  {"the event names another account than its subject does", "publish it to the other account's subject; then purge it here"},
	events.InvalidOpenID: {"cannot be an openid, and no call was spent on it", "mend the producer; if the openid is elsewhere in the payload, say where with input.fields and redrive"},
	events.Rejected:      {"WeChat refuses this openid while it answers for others", "see whether the openid belongs to this account (each has its own); if it does not, purge"},
	events.Unresolved:    {"no usable answer after every re-check", "redrive once WeChat answers again"},
	events.TooLarge:      {"the record is larger than the output takes", "raise max_payload, or max_msg_size of the output stream; then redrive"},
	events.Exhausted:     {"asked alone it kept failing while others succeeded", "look the errcode up in WeChat's documents; then redrive"},
	events.Crashed:       {"in hand in three crashes of the process", "look at the log of the crashes; redrive with a version that is mended"},
}

// Meaning is what a reason stands for, in one line.
func Meaning(r events.Reason) string { return meanings[r][0] }

// Advice is what a person does about a letter, in one line. What the table of
// errcodes says of the code goes before what the reason says.
func (l *Letter) Advice() string {
	if l.Truncated > 0 {
		return "its end was cut, so it cannot be tried again: publish the event anew from its source; then purge"
	}
	if row, ok := wechat.Lookup(wechat.Data, l.Code); ok && row.Class == wechat.BadOpenID {
		return meanings[l.Reason][1] // the table speaks of a call, we of this one letter
	} else if ok && l.Code != 0 && row.Action != "" {
		return row.Action
	}
	return meanings[l.Reason][1]
}
