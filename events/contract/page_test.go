package contract

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/events"
)

const pageHead = `# Headers

This page is generated from package ` + "`events`" + `: run ` + "`go test ./events/contract -update`" + ` after a change.

NATS compares the names of headers with regard to case. *On* says which messages carry a header: *E* events, *R*
records, *D* dead letters. *Stable* headers stay as they are within version 1 of the schema: same name, same meaning,
same form. What is *ours* is read by wxenrich's own look-back, audit or redrive as well: do not change it when you copy
messages between streams.

## What producers write

All of it is optional.

| header | on | read by | stability | |
|---|---|---|---|---|
| ` + "`Nats-Msg-Id`" + ` | E | JetStream, wxenrich | stable | your id of the event: within the stream's duplicate window it is stored once; also the record's ` + "`id`" + ` where the body names none |
| ` + "`Content-Type`" + ` | E | wxenrich | stable | the form of the body; without it the first byte tells |
| ` + "`traceparent`, `tracestate`" + ` | E | whoever traces | W3C | carried on to the answer |
| ` + "`ce-specversion`, `ce-id`, `ce-source`, `ce-type`, `ce-time`, `ce-subject`, `ce-datacontenttype`" + ` | E | wxenrich | CloudEvents 1.0 | a CloudEvent in binary mode |

## What wxenrich writes

| header | on | read by | stability | |
|---|---|---|---|---|
`

const pageTail = `
A dead letter has its producer's headers too. Those that begin with ` + "`Nats-` or `Wx-` come as `" + events.OrigPrefix + "<name>`" + `: copied as
they are, a ` + "`Nats-Rollup` or `Nats-Expected-Last-Sequence`" + ` would command the server.

A notice that a person is erased, on ` + "`wx.erased.<appid>`" + `, has ` + "`Nats-Msg-Id`, `Content-Type`, `Wx-Appid`, `Wx-Openid`" + `
and ` + "`Wx-Schema: " + events.SchemaErased + "`" + `; what it says is in its body.

## Stability

Within version 1 of the schema (` + "`Wx-Schema: " + events.SchemaV1 + "`" + `) headers and keys are only added. The values of
` + "`Wx-Status` and `Wx-Dead-Reason`" + ` are all there will be. What breaks this is a version 2, with another ` + "`Wx-Schema`" + `: look at it
before you decode, and refuse what you do not know. The documents that say all this to a program are printed by
` + "`wxenrich schema json` and `wxenrich schema asyncapi`" + `.
`

// readers says who reads a header, in the table's words.
var readers = map[string]string{
	events.HeaderMsgID:         "JetStream, consumers, ours",
	events.HeaderContentType:   "consumers",
	events.HeaderSchema:        "consumers",
	events.HeaderStatus:        "consumers",
	events.HeaderEventID:       "consumers",
	events.HeaderAppID:         "consumers, ours",
	events.HeaderOpenID:        "consumers",
	events.HeaderSrcStream:     "consumers, ours",
	events.HeaderSrcSeq:        "consumers, ours",
	events.HeaderSrcTime:       "consumers, ours",
	events.HeaderReplay:        "consumers, ours",
	events.HeaderHop:           "operators, ours",
	events.HeaderDeliveries:    "operators, ours",
	events.HeaderTraceParent:   "whoever traces",
	events.HeaderTraceState:    "whoever traces",
	events.HeaderSrcSubject:    "operators, ours",
	events.HeaderDeadReason:    "operators, ours",
	events.HeaderDeadCode:      "operators",
	events.HeaderDeadMessage:   "operators",
	events.HeaderDeadAttempts:  "operators",
	events.HeaderDeadTime:      "operators",
	events.HeaderDeadEventID:   "operators, ours",
	events.HeaderDeadTruncated: "operators, ours",
}

func init() {
	for _, name := range cloudEvent {
		readers[name], loose[name] = "CloudEvents consumers", "CloudEvents 1.0"
	}
}

// loose are headers whose text is for people, or somebody else's standard.
var loose = map[string]string{
	events.HeaderTraceParent: "W3C",
	events.HeaderTraceState:  "W3C",
	events.HeaderDeadMessage: "text may change",
}

// headerPage is deploy/docs/headers.md.
func headerPage(t *testing.T) []byte {
	t.Helper()
	_, headers := fieldDocs(t)
	b := bytes.NewBufferString(pageHead)
	for _, h := range headers {
		if readers[h.name] == "" {
			t.Errorf("the page does not know who reads %s", h.name)
		}
		var on []string
		if h.record {
			on = append(on, "R")
		}
		if h.dead {
			on = append(on, "D")
		}
		stability := "stable"
		if s := loose[h.name]; s != "" {
			stability = s
		}
		doc := strings.NewReplacer("<", `\<`, "|", `\|`).Replace(h.doc)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", h.name, strings.Join(on, " "), readers[h.name], stability, doc)
	}
	b.WriteString(pageTail)
	return b.Bytes()
}
