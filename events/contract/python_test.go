package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/events"
)

// python is one that has the module for msgpack, which the document needs.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), path, "-c", "import msgpack").Run() == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no Python with msgpack (Debian: apt-get install python3-msgpack)")
	}
	t.Skip("there is no Python with msgpack (Debian: apt-get install python3-msgpack)")
	return ""
}

// documented is the Python of the page for other languages.
func documented(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../deploy/docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(page), "\n```python\n")
	code, _, closed := strings.Cut(code, "\n```\n")
	if !found || !closed {
		t.Fatal("the page has no Python")
	}
	path := filepath.Join(t.TempDir(), "clients.py")
	if err := os.WriteFile(path, []byte(code+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPythonOfThePage runs it without a server: nats-py is not to be had
// everywhere, so its objects are stand-ins, and everything else is real. It has
// to read real records, in both encodings, as Go does, end each message in the
// right way, and produce what Go reads.
func TestPythonOfThePage(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	var in bytes.Buffer
	want := map[string]any{}
	became := map[string]string{}
	message := func(f events.Format, seq uint64, id, schema, end string) {
		r := events.Record{
			Event: events.Event{ID: id, AppID: "wx0123456789abcdef", OpenID: "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", Type: "subscribe",
				Source: events.Source{Stream: "WX_EVENTS", Seq: seq, Time: time.Unix(1_700_000_000, 123456789), Subject: "wx.events.wx0123456789abcdef.subscribe"},
				Meta:   events.JSONValue([]byte(`{"n":18446744073709551615,"small":-9007199254740993,"part":1e-7,"none":null,"text":"大客户 👩‍👩‍👧"}`))},
			Status: events.Following, FetchedAt: time.Unix(1_700_000_001, 0), Source: events.FromBatch,
			User: events.User{Raw: events.JSONValue([]byte(`{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","tagid_list":[],"qr_scene":4294967295}`))},
		}
		m, err := r.Msg("wx.profiles.wx0123456789abcdef", f)
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{}
		for name := range m.Header {
			headers[name] = m.Header.Get(name)
		}
		headers["Wx-Schema"] = schema
		if err := json.NewEncoder(&in).Encode(map[string]any{"headers": headers, "data": m.Data}); err != nil {
			t.Fatal(err)
		}
		msgID := headers[events.HeaderMsgID]
		if became[msgID] = end; end != "term" {
			data, err := r.Append(nil, events.JSON)
			if err != nil {
				t.Fatal(err)
			}
			want[msgID] = exactly(t, data)
		}
	}
	message(events.Msgpack, 1, "msgpack", events.SchemaV1, "ack")
	message(events.JSON, 1<<63+1, "json", events.SchemaV1, "ack")
	message(events.JSON, 3, "fails", events.SchemaV1, "nak 10")
	message(events.JSON, 4, "later", "wxenrich.profile.v2", "term")

	c := exec.CommandContext(t.Context(), interpreter, filepath.Join("testdata", "clients_test.py"), documented(t))
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	c.Stdin = &in
	out, err := c.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	stored := 0
	for line := range strings.Lines(string(out)) {
		var said struct {
			ID, Became, Subject string
			Headers             map[string]string
			Data                []byte
			Record              json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case said.Subject != "":
			produced(t, said.Subject, said.Headers, said.Data)
			stored++
		case said.Record != nil:
			if d := cmp.Diff(want[said.ID], exactly(t, said.Record)); d != "" {
				t.Errorf("%s (-Go +Python):\n%s", said.ID, d)
			}
			delete(want, said.ID)
		default:
			if became[said.ID] != said.Became {
				t.Errorf("%s: %s, want %s", said.ID, said.Became, became[said.ID])
			}
			delete(became, said.ID)
		}
	}
	if len(want)+len(became) > 0 || stored != 1 {
		t.Errorf("left: %d records, %v; %d produced", len(want), became, stored)
	}
}

// produced reads what Python has published as the service does.
func produced(t *testing.T, subject string, headers map[string]string, data []byte) {
	t.Helper()
	header := map[string][]string{}
	for name, value := range headers {
		header[name] = []string{value}
	}
	d := events.Decoder{AppID: "wx0123456789abcdef"}
	e, err := d.Decode(events.Message{Source: events.Source{Stream: "WX_EVENTS", Seq: 1, Subject: subject}, Header: header, Data: data})
	meta, _ := e.Meta.AppendJSON(nil)
	if err != nil || e.ID != "order-17" || e.Type != "subscribe" || headers[events.HeaderMsgID] != "wx0123456789abcdef:order-17" ||
		fmt.Sprint(exactly(t, meta)) != "map[campaign:活动 🎉 n:18446744073709551615]" {
		t.Errorf("%s %v %s: %+v, %v", subject, headers, data, e, err)
	}
}

// exactly reads JSON without losing a digit.
func exactly(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return rational(v)
}

func rational(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = rational(v[k])
		}
	case []any:
		for i := range v {
			v[i] = rational(v[i])
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return r.RatString()
		}
	}
	return v
}
