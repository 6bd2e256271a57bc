package export

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestNothingIsExportedUnasked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		getenv func(string) string
		want   bool
	}{
		{"nothing set", env(), false},
		{"exporter", env("OTEL_TRACES_EXPORTER", "otlp"), true},
		{"another signal's exporter", env("OTEL_LOGS_EXPORTER", "otlp"), false},
		{"endpoint", env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), true},
		{"the signal's endpoint", env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c"), true},
		{"none in spite of an endpoint", env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_TRACES_EXPORTER", "none"), false},
		{"disabled", env("OTEL_SDK_DISABLED", "true", "OTEL_TRACES_EXPORTER", "otlp"), false},
	} {
		if got := wanted(tc.getenv, "TRACES"); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	e, err := Start(t.Context(), env(), "1.0.0")
	if err != nil || e.Tracer != nil || e.Reader != nil || e.logs != nil {
		t.Errorf("%+v, %v", e, err)
	}
}

// A batch is sampled with its events, whatever the share of traces.
func TestLinkedSpansAreSampledTogether(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"always_off", "parentbased_always_off", "traceidratio", "parentbased_traceidratio"} {
		inner, err := samplerOf(env("OTEL_TRACES_SAMPLER", name, "OTEL_TRACES_SAMPLER_ARG", "0"))
		if err != nil {
			t.Fatal(err)
		}
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSampler(linked{inner})).Tracer("")
		sc := func(flags trace.TraceFlags) trace.SpanContext {
			return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags})
		}
		start := func(parent context.Context, links ...trace.SpanContext) bool {
			var opts []trace.SpanStartOption
			for _, l := range links {
				opts = append(opts, trace.WithLinks(trace.Link{SpanContext: l}))
			}
			_, span := tracer.Start(parent, "", opts...)
			return span.SpanContext().IsSampled()
		}
		if !start(t.Context(), sc(0), sc(trace.FlagsSampled)) {
			t.Errorf("%s: linked to a sampled span, and not sampled", name)
		}
		if start(t.Context(), sc(0)) || start(t.Context()) {
			t.Errorf("%s: sampled for nobody", name)
		}
		if start(trace.ContextWithRemoteSpanContext(t.Context(), sc(0)), sc(trace.FlagsSampled)) {
			t.Errorf("%s: a link goes before a parent", name)
		}
	}
}

func TestSamplersAreChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range [][2]string{{"sometimes", ""}, {"traceidratio", "2"}, {"traceidratio", "much"}, {"traceidratio", "NaN"}} {
		if _, err := samplerOf(env("OTEL_TRACES_SAMPLER", tc[0], "OTEL_TRACES_SAMPLER_ARG", tc[1])); err == nil {
			t.Errorf("%q is taken", tc)
		}
	}
}
