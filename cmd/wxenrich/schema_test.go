package main

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/traffic"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/events/contract"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

func TestSchemaPrints(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"schema", "json"}, {"schema", "json", "record"}, {"schema", "asyncapi"}} {
		r := wxenrich(t, nil, "", args...)
		if r.code != 0 || !json.Valid([]byte(r.out)) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	wxenrich(t, nil, "", "schema", "json").want(t, 0, `"$id": "urn:wxenrich:v1:dead-letter"`, "")
	wxenrich(t, nil, "", "schema", "json", "recrod").want(t, exitUsage, "", `invalid argument "recrod"`)
}

// schemas are the published ones, as the program prints them.
type schemas map[string]*jsonschema.Schema

func printedSchemas(t *testing.T) schemas {
	t.Helper()
	all := schemas{}
	for _, name := range contract.Names() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(wxenrich(t, nil, "", "schema", "json", name).out)))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
		if all[name], err = c.Compile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// document reads a body with decoders that are not ours; ok is false for one
// that is neither JSON nor msgpack.
func document(h nats.Header, data []byte) (v any, ok bool) {
	if h.Get("Content-Type") == "application/msgpack" {
		return v, msgpack.Unmarshal(data, &v) == nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	return v, err == nil
}

// headers is the first value of each.
func headers(h nats.Header) map[string]any {
	m := make(map[string]any, len(h))
	for name, values := range h {
		m[name] = values[0]
	}
	return m
}

// TestEveryMessageKeepsTheContract holds 10,000 mixed events and all that comes
// of them to the published schemas, in both encodings.
func TestEveryMessageKeepsTheContract(t *testing.T) {
	t.Parallel()
	published := printedSchemas(t)
	for _, format := range []string{"msgpack", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.environ = append(w.environ, "WXENRICH_OUTPUT_FORMAT="+format, "WXENRICH_HTTP_LISTEN=", "WXENRICH_INPUT_START=all", "WXENRICH_RECHECK_AFTER=0s", "WXENRICH_RETRY_INITIAL=1ms", "WXENRICH_RETRY_MAX=10ms")
			if format == "json" {
				w.environ = append(w.environ, "WXENRICH_OUTPUT_CLOUDEVENTS=true")
			}
			for i := range 10 {
				w.account.Unfollow(w.account.OpenID(990 + i))
			}
			// A code that nobody knows, for one person whoever asks.
			w.sim.Inject(wechattest.Fault{Match: wechattest.Match{OpenID: w.account.OpenID(500)}, Do: wechattest.Action{Code: 77777}})
			js := w.streams(t)
			mix := traffic.Mix{AppID: testAppID, Prefix: "e", People: w.account, Persons: 1000}
			sent := send(t, js, mix, 0, 5_000)
			for _, e := range sent {
				doc, ok := document(e.Msg.Header, e.Msg.Data)
				fields, _ := doc.(map[string]any)
				if !ok || fields["specversion"] != nil {
					continue // XML, a bare openid, a CloudEvent, or nothing that can be decoded
				}
				err := published[contract.Event].Validate(doc)
				if (err == nil) != (e.Want != traffic.InvalidID) {
					t.Errorf("event %s, which becomes %s: %v", e.ID, e.Want, err)
				}
			}
			run := w.background(t, "run")
			run.out.waitFor("lane is running")
			kinds := published.validateAll(t, js, len(sent))
			for _, kind := range []string{"following", "not_following", "unsubscribed", "undecodable", "invalid_openid", "wrong_account", "rejected", "exhausted"} {
				if kinds[kind] == 0 {
					t.Errorf("no message of the kind %s: %v", kind, kinds)
				}
			}
			if n := kinds["cloudevent"]; (n > 0) != (format == "json") {
				t.Errorf("%d records are CloudEvents", n)
			}
			if code := run.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// validateAll reads n answers and returns how many of each kind there are.
func (s schemas) validateAll(t *testing.T, js jetstream.JetStream, n int) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), everything)
	defer cancel()
	found := make(chan jetstream.Msg, 1000)
	for _, stream := range []string{"WX_PROFILES", "WX_DEAD"} {
		c, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		consuming, err := c.Consume(func(m jetstream.Msg) { found <- m })
		if err != nil {
			t.Fatal(err)
		}
		defer consuming.Stop()
	}
	kinds := map[string]int{}
	for i := range n {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d answers: %v", i, n, kinds)
		case m := <-found:
			h := m.Headers()
			if reason := h.Get(events.HeaderDeadReason); reason != "" {
				kinds[reason]++
				if err := s[contract.DeadLetter].Validate(headers(h)); err != nil {
					t.Errorf("dead letter on %s: %v", m.Subject(), err)
				}
				continue
			}
			kinds[h.Get(events.HeaderStatus)]++
			if h.Get(events.HeaderCEID) != "" {
				kinds["cloudevent"]++
			}
			if err := s[contract.RecordHeaders].Validate(headers(h)); err != nil {
				t.Errorf("headers of %s: %v", h.Get(events.HeaderEventID), err)
			}
			doc, ok := document(h, m.Data())
			if !ok {
				t.Fatalf("record %s cannot be read", h.Get(events.HeaderEventID))
			}
			if err := s[contract.Record].Validate(doc); err != nil {
				t.Errorf("record %s: %v", h.Get(events.HeaderEventID), err)
			}
		}
	}
	return kinds
}
