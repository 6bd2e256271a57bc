package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const two = one + `output:
  - {format: json, max_age: 7d}
  - stream: WX_SMALL
    subject: wx.small.{appid}
    fields: [unionid]
`

// TestOutputs: one section, a list, or numbered variables.
func TestOutputs(t *testing.T) {
	t.Parallel()
	type output struct{ Path, Stream, Format, Publish, Fields string }
	for name, c := range map[string]struct {
		text    string
		environ []string
		want    []output
		faults  []string
	}{
		"none is said": {text: one, want: []output{{"output", "WX_PROFILES", "msgpack", "async", ""}}},
		"a section, and a numbered variable": {
			text: one + "output: {stream: A}", environ: []string{"WXENRICH_OUTPUT_0_FORMAT=json"},
			want: []output{{"output", "A", "json", "async", ""}},
		},
		"a list of one": {text: one + "output: [{stream: A}]", want: []output{{"output", "A", "msgpack", "async", ""}}},
		"a list": {
			text: two, environ: []string{"WXENRICH_OUTPUT_1_FORMAT=json", "WXENRICH_OUTPUT_0_PUBLISH=atomic"},
			want: []output{{"output[0]", "WX_PROFILES", "json", "atomic", ""}, {"output[1]", "WX_SMALL", "json", "atomic", "unionid"}},
		},
		"variables add one": {
			text: one + "output: {format: json}", environ: []string{"WXENRICH_OUTPUT_1_STREAM=B", "WXENRICH_OUTPUT_1_SUBJECT=b.{appid}"},
			want: []output{{"output[0]", "WX_PROFILES", "json", "async", ""}, {"output[1]", "B", "msgpack", "async", ""}},
		},
		"the embedded server": {
			text: two + "nats: {embedded: true, store_dir: d}",
			want: []output{{"output[0]", "WX_PROFILES", "json", "atomic", ""}, {"output[1]", "WX_SMALL", "msgpack", "atomic", "unionid"}},
		},
		"a stream for two": {text: one + "output: [{}, {subject: 'b.{appid}'}]", faults: []string{
			"w.yaml:2: output[1].stream: WX_PROFILES is output[0].stream too: want one of its own",
		}},
		"subjects that meet": {text: one + "output:\n- {}\n- {stream: B, subject: 'wx.profiles.{openid}'}", faults: []string{
			"w.yaml:4: output[1].subject: wx.profiles.{openid} may be the same as output[0].subject, wx.profiles.{appid}: want one of its own",
		}},
		"two ways of publishing": {text: one + "output:\n- {}\n- {stream: B, subject: 'b.{appid}', publish: atomic}", faults: []string{
			"w.yaml:4: output[1].publish: is atomic, and output[0].publish async: want the same, it is about the server",
		}},
		"no number": {text: two, environ: []string{"WXENRICH_OUTPUT_FORMAT=json"}, faults: []string{
			"WXENRICH_OUTPUT_FORMAT: unknown variable: did you mean WXENRICH_OUTPUT_0_FORMAT?",
		}},
		"an empty list":   {text: one + "output: []", faults: []string{"w.yaml:2: output: is an empty list: want one output at least"}},
		"an unknown key":  {text: one + "output:\n- {formt: json}", faults: []string{`w.yaml:3: output: unknown key "formt": did you mean format?`}},
		"a bad value":     {text: two, environ: []string{"WXENRICH_OUTPUT_1_FORMAT=xml"}, faults: []string{`WXENRICH_OUTPUT_1_FORMAT: output[1].format: "xml" is none of msgpack, json`}},
		"a single value":  {text: one + "output: [json]", faults: []string{"w.yaml:2: output: is a single value: want a section with one of stream, subject, format, fields, cloudevents, publish, max_age, max_bytes, replicas, duplicates"}},
		"the input as it": {text: two + "input: {stream: WX_SMALL}", faults: []string{"w.yaml:7: accounts[0].input.stream: WX_SMALL is output[1].stream too: want one of its own"}},
	} {
		cfg, faults := load(t, c.text, append(c.environ, "S=x")...)
		if d := cmp.Diff(c.faults, faults); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
		if c.faults != nil {
			continue
		}
		var got []output
		for i, o := range cfg.Outputs {
			got = append(got, output{cfg.OutputPath(i), o.Stream, o.Format, o.Publish, o.Fields.String()})
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestShowOutputs: what show prints of a list is a list.
func TestShowOutputs(t *testing.T) {
	t.Parallel()
	cfg, faults := load(t, two, "S=x")
	if faults != nil {
		t.Fatal(faults)
	}
	again, faults := load(t, cfg.YAML(), "S=x")
	if faults != nil {
		t.Fatal(faults, "\n", cfg.YAML())
	}
	if d := cmp.Diff(cfg.Outputs, again.Outputs); d != "" {
		t.Errorf("-want +got\n%s\n%s", d, cfg.YAML())
	}
}
