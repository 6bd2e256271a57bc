package contract

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wxenrich/wxenrich/events"
)

var freeze = flag.String("freeze", "", "keep today's documents and messages as testdata/`name`, such as v1.1")

// frozen is a message as it was once stored, and how it was read then.
type frozen struct {
	Header nats.Header
	Data   []byte // base64 in the file
	Read   any    // what it meant then: the fields of the Go type
}

// meaning is what a program gets to know of a message.
func meaning(t *testing.T, dead bool, m frozen) (fields any) {
	t.Helper()
	var v any
	if dead {
		d, err := events.ParseDeadLetter(m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		v = d
	} else {
		r, err := events.ParseRecord(m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		v = r
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// common is what is in v of the fields that then has, at every level: what was
// added since counts for nothing.
func common(then, v any) any {
	a, isMap := then.(map[string]any)
	b, stillMap := v.(map[string]any)
	if !isMap || !stillMap {
		return v
	}
	m := make(map[string]any, len(a))
	for k := range a {
		if value, ok := b[k]; ok {
			m[k] = common(a[k], value)
		}
	}
	return m
}

// today is every message by a file name.
func today(t *testing.T) map[string]frozen {
	t.Helper()
	all := make(map[string]frozen)
	for name, r := range records() {
		for _, f := range []events.Format{events.JSON, events.Msgpack} {
			m, err := r.Msg("wx.profiles."+appid, f)
			if err != nil {
				t.Fatal(err)
			}
			all["record "+name+" "+string(f)] = frozen{Header: m.Header, Data: m.Data}
		}
	}
	for name, d := range deadLetters() {
		m := d.Msg("wx.dead." + appid + "." + string(d.Reason))
		all["dead "+name] = frozen{Header: m.Header, Data: m.Data}
	}
	for name, m := range all {
		m.Read = meaning(t, isDead(name), m)
		all[name] = m
	}
	return all
}

// TestFreeze writes testdata for TestEarlierStates, on demand. What exists is
// never written again: it is a promise that was given.
func TestFreeze(t *testing.T) {
	if *freeze == "" {
		t.Skip("without -freeze")
	}
	dir := filepath.Join("testdata", *freeze)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	save := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range Names() {
		data, err := Schema(name)
		if err != nil {
			t.Fatal(err)
		}
		save(name+".schema.json", data)
	}
	data, err := json.MarshalIndent(today(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	save("messages.json", append(data, '\n'))
}

// TestEarlierStates holds today's code and schemas to every earlier state of
// version 1: its messages are read as they were, and are valid still; the
// schemas have only grown.
func TestEarlierStates(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join("testdata", "v1.*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no earlier states: %v", err)
	}
	for _, dir := range dirs {
		var messages map[string]frozen
		data, err := os.ReadFile(filepath.Join(dir, "messages.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &messages); err != nil {
			t.Fatal(err)
		}
		for name, m := range messages {
			if diff := cmp.Diff(m.Read, common(m.Read, meaning(t, isDead(name), m))); diff != "" {
				t.Errorf("%s: %s is read otherwise (-then +now):\n%s", dir, name, diff)
			}
		}
		then := func(name string) *jsonschema.Schema {
			data, err := os.ReadFile(filepath.Join(dir, name+".schema.json"))
			if err != nil {
				t.Fatal(err)
			}
			return compile(t, data)
		}
		validate(t, dir+" by today's schemas", messages, func(name string) *jsonschema.Schema { return published(t, name) })
		validate(t, "today's by the schemas of "+dir, today(t), then)
		for _, name := range Names() {
			then, err := os.ReadFile(filepath.Join(dir, name+".schema.json"))
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was added since
			}
			if err != nil {
				t.Fatal(err)
			}
			now, err := Schema(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range broken(parse(t, then), parse(t, now), name == Event) {
				t.Errorf("%s: %s: %s", dir, name, fault)
			}
		}
	}
}

func isDead(name string) bool { return strings.HasPrefix(name, "dead ") }

// validate holds messages to schemas of whatever time.
func validate(t *testing.T, what string, messages map[string]frozen, schema func(string) *jsonschema.Schema) {
	t.Helper()
	bodies, headers, dead := schema(Record), schema(RecordHeaders), schema(DeadLetter)
	for name, m := range messages {
		if isDead(name) {
			if err := dead.Validate(first(m.Header)); err != nil {
				t.Errorf("%s: %s: %v", what, name, err)
			}
			continue
		}
		if err := bodies.Validate(body(t, m.Header[events.HeaderContentType][0], m.Data)); err != nil {
			t.Errorf("%s: %s: %v", what, name, err)
		}
		if err := headers.Validate(first(m.Header)); err != nil {
			t.Errorf("%s: headers of %s: %v", what, name, err)
		}
	}
}

func parse(t *testing.T, data []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// broken says how a schema breaks the promise of an earlier one. What comes out
// may gain keys; what goes in may be asked for less.
func broken(then, now map[string]any, input bool) (faults []string) {
	text := func(m map[string]any, key string) string { return fmt.Sprint(m[key]) }
	for _, rule := range []string{"type", "const", "enum", "pattern", "format", "minimum", "maxLength", "additionalProperties"} {
		if text(then, rule) != text(now, rule) && !(input && now[rule] == nil) {
			faults = append(faults, fmt.Sprintf("%s was %s and is %s", rule, text(then, rule), text(now, rule)))
		}
	}
	required := func(m map[string]any) (keys []string) {
		list, _ := m["required"].([]any)
		for _, k := range list {
			keys = append(keys, k.(string))
		}
		return keys
	}
	asked, kept := required(then), required(now)
	if input {
		asked, kept = kept, asked
	}
	for _, k := range asked {
		if !slices.Contains(kept, k) {
			faults = append(faults, fmt.Sprintf("required %s has changed", k))
		}
	}
	old, _ := then["properties"].(map[string]any)
	fresh, _ := now["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(old)) {
		is, ok := fresh[key].(map[string]any)
		if !ok {
			faults = append(faults, key+" is gone")
			continue
		}
		for _, fault := range broken(old[key].(map[string]any), is, input) {
			faults = append(faults, key+": "+fault)
		}
	}
	if list, ok := then["items"].(map[string]any); ok {
		is, _ := now["items"].(map[string]any)
		faults = append(faults, broken(list, is, input)...)
	}
	return faults
}

// TestBroken shows that a broken promise is seen.
func TestBroken(t *testing.T) {
	t.Parallel()
	const old = `{"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}}}}`
	for now, want := range map[string]int{
		old: 0,
		`{"type":"object","required":["a","c"],"properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}},"c":{}}}`: 0,
		`{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}`:                                                            1,
		`{"type":"object","required":[],"properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"}}}}`:               1,
		`{"type":"object","required":["a"],"properties":{"a":{"type":"integer"},"b":{"type":"array","items":{"type":"string"}}}}`:            2,
	} {
		if got := broken(parse(t, []byte(old)), parse(t, []byte(now)), false); len(got) != want {
			t.Errorf("%s: %q, want %d faults", now, got, want)
		}
	}
	if got := broken(parse(t, []byte(`{}`)), parse(t, []byte(`{"required":["a"]}`)), true); len(got) != 1 {
		t.Errorf("an input that asks for more: %q", got)
	}
}
