package contract

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/events"
)

var update = flag.Bool("update", false, "write the documents")

const (
	openidPattern = "^[A-Za-z0-9_-]{20,64}$"
	appidPattern  = "^[A-Za-z0-9_-]{1,64}$"
)

var statuses = []events.Status{events.Following, events.NotFollowing, events.Unsubscribed}

// recordRules is what is always true of a value, beyond its type.
var recordRules = map[string]object{
	"schema":     {{"const", events.SchemaV1}},
	"appid":      {{"pattern", appidPattern}},
	"openid":     {{"pattern", openidPattern}},
	"status":     {{"enum", statuses}},
	"source":     {{"examples", []string{events.FromBatch, events.FromSingle, events.FromRecent}}},
	"marker":     {{"examples", []string{events.MarkerNoUnionID}}},
	"fetched_at": {{"pattern", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z$"}},
}

// recordRequired are the keys that are always there.
var recordRequired = map[string][]string{
	"":      {"schema", "id", "appid", "openid", "status", "fetched_at", "event"},
	"event": {"id", "type", "stream", "seq", "subject", "stored_at"},
	"user":  {"openid"},
}

// recordSchema describes what the encoder writes.
func recordSchema(t *testing.T) object {
	t.Helper()
	fields, _ := fieldDocs(t)
	p := probe{docs: fields, by: map[string]field{}}
	var r events.Record
	p.fill(t, reflect.ValueOf(&r).Elem())
	data, err := r.Append(nil, events.JSON)
	if err != nil {
		t.Fatal(err)
	}
	keys := readMap(t, data)
	p.by[events.SchemaV1] = field{reflect.TypeFor[string](), "the shape of the record; only ever grows"}
	found := map[string]bool{}
	o := append(object{
		{"title", "Record"},
		{"description", "The answer to one event: a follower's profile. The same keys and values in JSON and msgpack, as far as both can say them (see meta). Absent values are absent keys; pass over keys that you do not know."},
	}, p.object(t, "", keys, found)...)
	for known, f := range p.by {
		if !found[known] {
			t.Errorf("the encoder does not write the field whose comment is %q", f.doc)
		}
	}
	return o
}

func (p *probe) object(t *testing.T, path string, keys []encoded, found map[string]bool) object {
	t.Helper()
	var properties object
	for _, k := range keys {
		if k.inner != nil {
			inner := p.object(t, k.key, k.inner, found)
			properties = properties.with(k.key, append(object{{"description", p.docs["Record."+map[string]string{"event": "Event", "user": "User"}[k.key]]}}, inner...))
			continue
		}
		f, ok := p.by[k.value]
		if !ok {
			t.Fatalf("key %s.%s has %q, which is of no field", path, k.key, k.value)
		}
		found[k.value] = true
		s := append(typeOf(t, f.kind), member{"description", f.doc})
		if path == "" {
			s = append(s, recordRules[k.key]...)
		}
		properties = properties.with(k.key, s)
	}
	return object{{"type", "object"}, {"required", recordRequired[path]}, {"properties", properties}, {"additionalProperties", true}}
}

// typeOf is what a Go type is in JSON and in msgpack.
func typeOf(t *testing.T, kind reflect.Type) object {
	t.Helper()
	switch {
	case kind == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case kind == reflect.TypeFor[events.Value]():
		return object{}
	case kind.Kind() == reflect.Slice:
		return object{{"type", "array"}, {"items", typeOf(t, kind.Elem())}}
	}
	switch kind.Kind() {
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Uint32, reflect.Uint64:
		return object{{"type", "integer"}, {"minimum", 0}}
	}
	t.Fatalf("no schema for %s", kind)
	return nil
}

// crossing is what becomes of meta that came in the other encoding: the comment
// of events.Value, for those who do not read Go.
const crossing = "In the encoding that it came in nothing changes. From msgpack to JSON, bin and unknown extensions become base64, timestamps RFC 3339, NaN and infinities null, keys that are no strings their JSON; from JSON to msgpack a number that neither a 64-bit integer nor a float64 holds becomes nil. Use string keys, each once: decoders of some languages refuse others"

// eventSchema describes the JSON and the msgpack form of what goes in. It is
// looser than the Go type, as the decoder is.
func eventSchema(t *testing.T) object {
	t.Helper()
	docs, _ := fieldDocs(t)
	about := func(goName string, rules object) object {
		return append(object{{"description", docs["Event."+goName]}}, rules...)
	}
	properties := object{
		{"openid", about("OpenID", object{{"type", "string"}, {"pattern", `^\s*[A-Za-z0-9_-]{20,64}\s*$`}})},
		{"id", object{{"description", "makes the event known to its producer; without it the header Nats-Msg-Id is the id, else <stream>-<sequence>. 256 bytes of UTF-8 at most, no control characters; an integer has 64 bits at most"},
			{"type", []string{"string", "integer", "null"}}, {"maxLength", 256}}},
		{"appid", object{{"description", "the account, if it is stated at all: that of the subject"}, {"type", []string{"string", "null"}}}},
		{"type", object{{"description", "subscribe, unsubscribe, SCAN …; without it the subject's last token. An unsubscribe is answered without asking WeChat"}}},
		{"time", object{{"description", "when it happened: RFC 3339, or unix seconds or milliseconds, from 1970 to 9999"}, {"type", []string{"string", "number", "null"}}}},
		{"lang", object{{"description", "language to ask WeChat for: zh_CN, zh_TW or en; anything else is passed over"}}},
		{"meta", object{{"description", docs["Event.Meta"] + ", of 64 levels at most. " + crossing}}},
	}
	for _, m := range properties {
		if !slices.Contains(events.InputFields(), m.key) {
			t.Errorf("%s is no input field", m.key)
		}
	}
	if len(properties) != len(events.InputFields()) {
		t.Errorf("%d input fields, %d are described", len(events.InputFields()), len(properties))
	}
	return object{
		{"title", "Event"},
		{"description", "Something happened to a follower: a map in JSON or msgpack, of 256 KiB at most. Only openid is needed. Other forms (a bare openid, WeChat's push as XML, CloudEvents) are in the AsyncAPI document."},
		{"type", "object"},
		{"required", []string{"openid"}},
		{"properties", properties},
		{"additionalProperties", true},
	}
}

// schemas makes them all.
func schemas(t *testing.T) map[string]object {
	t.Helper()
	return map[string]object{Event: eventSchema(t), Record: recordSchema(t), RecordHeaders: recordHeadersSchema(t), DeadLetter: deadLetterSchema(t), Erased: erasedSchema(t)}
}

// TestDocumentsAreUpToDate holds the committed documents to the code.
func TestDocumentsAreUpToDate(t *testing.T) {
	made := schemas(t)
	for _, name := range Names() {
		head := object{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"$id", "urn:wxenrich:v1:" + name}}
		upToDate(t, name+".schema.json", document(t, append(head, made[name]...)))
	}
	upToDate(t, "asyncapi.json", document(t, asyncAPI(made)))
	upToDate(t, filepath.Join("..", "..", "deploy", "docs", "headers.md"), headerPage(t))
}

func upToDate(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date, run this test with -update; -file +code\n%s", path, cmp.Diff(string(got), string(want)))
	}
}
