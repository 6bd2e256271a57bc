package contract

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wxenrich/wxenrich/events"
)

// headerDoc is a header as its constant's comment describes it.
type headerDoc struct {
	name         string
	record, dead bool // which messages carry it
	doc          string
}

var headerComment = regexp.MustCompile(`^(R D|R|D): (.+)$`)

// headerOf reads a constant such as HeaderSchema; ok is false for any other.
func headerOf(t *testing.T, s *ast.ValueSpec) (h headerDoc, ok bool) {
	t.Helper()
	if name, is := strings.CutPrefix(s.Names[0].Name, "Header"); !is || name == "" {
		return h, false
	}
	value, err := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	m := headerComment.FindStringSubmatch(strings.TrimSpace(s.Comment.Text()))
	if m == nil {
		t.Fatalf("%s: want a comment that says which messages carry it and what it means, as in \"R D: the account\"", s.Names[0])
	}
	return headerDoc{value, strings.Contains(m[1], "R"), strings.Contains(m[1], "D"), m[2]}, true
}

const rfc3339 = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$"

// headerRules is what is always true of a header's value: a pattern, or all
// the values there are.
var headerRules = map[string]object{
	events.HeaderMsgID:         {{"pattern", "^(dead:)?.+:[0-9]+:-?[0-9]+(:[A-Za-z][A-Za-z0-9_-]*)?(#[1-9][0-9]*)?$"}},
	events.HeaderSchema:        {{"const", events.SchemaV1}},
	events.HeaderStatus:        {{"enum", statuses}},
	events.HeaderAppID:         {{"pattern", appidPattern}},
	events.HeaderOpenID:        {{"pattern", openidPattern}},
	events.HeaderSrcSeq:        {{"pattern", "^[1-9][0-9]*$"}},
	events.HeaderSrcTime:       {{"pattern", rfc3339}},
	events.HeaderReplay:        {{"pattern", "^[A-Za-z][A-Za-z0-9_-]{0,63}$"}},
	events.HeaderDeliveries:    {{"pattern", "^[1-9][0-9]*$"}},
	events.HeaderHop:           {{"pattern", "^[1-9][0-9]*$"}},
	events.HeaderDeadReason:    {{"enum", events.Reasons()}},
	events.HeaderDeadCode:      {{"pattern", "^-?[0-9]+$"}},
	events.HeaderDeadAttempts:  {{"pattern", "^[0-9]+$"}},
	events.HeaderDeadTime:      {{"pattern", rfc3339}},
	events.HeaderDeadTruncated: {{"pattern", "^[1-9][0-9]*$"}},
}

// sometimes are headers that not every message has.
var sometimes = []string{
	events.HeaderReplay, events.HeaderHop, events.HeaderDeliveries, events.HeaderTraceParent, events.HeaderTraceState,
	events.HeaderDeadCode, events.HeaderDeadMessage, events.HeaderDeadTruncated, events.HeaderDeadTime,
}

// cloudEvent are those that output.cloudevents adds.
var cloudEvent = []string{
	events.HeaderCESpecVersion, events.HeaderCEID, events.HeaderCESource, events.HeaderCEType,
	events.HeaderCESubject, events.HeaderCETime, events.HeaderCEDataContentType, events.HeaderCEDataSchema,
}

// headerSchema describes the headers of records or of dead letters.
func headerSchema(t *testing.T, dead bool) object {
	t.Helper()
	_, headers := fieldDocs(t)
	var properties object
	required := []string{}
	for _, h := range headers {
		if dead && !h.dead || !dead && !h.record {
			continue
		}
		rules := headerRules[h.name]
		switch {
		case h.name == events.HeaderContentType && dead: // the producer's, whatever it wrote
		case h.name == events.HeaderContentType:
			rules = object{{"enum", []string{events.Msgpack.ContentType(), events.JSON.ContentType()}}}
			fallthrough
		case !slices.Contains(sometimes, h.name) && !slices.Contains(cloudEvent, h.name):
			required = append(required, h.name)
		}
		properties = properties.with(h.name, append(object{{"type", "string"}, {"description", h.doc}}, rules...))
	}
	return object{{"type", "object"}, {"required", required}, {"properties", properties}, {"additionalProperties", object{{"type", "string"}}}}
}

func deadLetterSchema(t *testing.T) object {
	t.Helper()
	return append(object{
		{"title", "Headers of a dead letter"},
		{"description", "An event that gets no record, and why. The body is the event's own, byte for byte, in whatever form it came. " +
			"The producer's headers come along; those that begin with Nats- or Wx- as " + events.OrigPrefix + "<name>. " +
			"Names are compared with regard to case; of a header with several values this describes the first."},
	}, headerSchema(t, true)...)
}

func recordHeadersSchema(t *testing.T) object {
	t.Helper()
	return append(object{
		{"title", "Headers of a record"},
		{"description", "They say the same as the body, for those who only route, filter or audit. Names are compared with regard to case."},
	}, headerSchema(t, false)...)
}
