package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/wechat"
	"github.com/wxenrich/wxenrich/wechat/wechattest"
)

// traced is a world whose producer, lane, client and consumer make spans.
type traced struct {
	*world
	spans    *tracetest.SpanRecorder
	provider trace.TracerProvider
}

func newTraced(t *testing.T, sampler sdktrace.Sampler) *traced {
	spans := tracetest.NewSpanRecorder()
	return &traced{
		newWorld(t, wechattest.AccountConfig{}), spans,
		sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sampler)),
	}
}

// lane starts one that makes spans.
func (w *traced) lane(cfg pipeline.Config) *running {
	tokens, err := wechat.NewStableTokens(wechat.TokenConfig{AppID: appid, Secret: secret, BaseURL: w.api, TracerProvider: w.provider})
	if err != nil {
		w.Fatal(err)
	}
	if _, err := tokens.Token(w.Context()); err != nil { // else whoever asks first has it in its trace
		w.Fatal(err)
	}
	client, err := wechat.New(wechat.Config{AppID: appid, BaseURL: w.api, Tokens: tokens, TracerProvider: w.provider})
	if err != nil {
		w.Fatal(err)
	}
	return w.start(cfg, func(d *pipeline.Deps) { d.Tracer, d.WeChat = w.provider, client })
}

// produce publishes events as an application does: within a span of its own.
func (w *traced) produce(people ...int) {
	w.Helper()
	p, err := events.NewPublisher(w.js, events.PublisherConfig{})
	if err != nil {
		w.Fatal(err)
	}
	for _, i := range people {
		ctx, span := w.provider.Tracer("app").Start(w.Context(), fmt.Sprint("sign up ", i))
		if _, err := p.Publish(ctx, events.Event{AppID: appid, OpenID: w.acc.OpenID(i)}); err != nil {
			w.Fatal(err)
		}
		span.End()
	}
}

// consume handles n records as an application does: in a span below what came
// with each.
func (w *traced) consume(n int) {
	w.Helper()
	s, err := events.NewSubscriber(w.Context(), w.js, events.SubscriberConfig{Durable: "crm"})
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithTimeout(w.Context(), patience)
	defer stop()
	err = s.Run(ctx, func(ctx context.Context, d *events.Delivery) error {
		_, span := w.provider.Tracer("app").Start(ctx, "greet "+d.Record.Event.OpenID[len(d.Record.Event.OpenID)-4:])
		span.End()
		if n--; n == 0 {
			stop()
		}
		return nil
	})
	if err != nil || n != 0 {
		w.Fatalf("%v, %d records missing", err, n)
	}
}

// tree writes the spans that ended below a parent, in the order of their starts.
func tree(spans []sdktrace.ReadOnlySpan, parent trace.SpanID, indent string) string {
	var b strings.Builder
	for _, s := range spans {
		if s.Parent().SpanID() == parent {
			name := s.Name()
			if strings.HasPrefix(name, "greet ") {
				name = "greet"
			}
			fmt.Fprintf(&b, "%s%s %s\n%s", indent, s.SpanKind(), name, tree(spans, s.SpanContext().SpanID(), indent+"  "))
		}
	}
	return b.String()
}

// ended waits until n spans of a name have ended, and returns all spans by start.
func (w *traced) ended(name string, n int) []sdktrace.ReadOnlySpan {
	w.Helper()
	var all []sdktrace.ReadOnlySpan
	w.until(fmt.Sprint(n, " spans ", name), func() bool {
		all = w.spans.Ended()
		return len(named(all, name)) >= n
	})
	slices.SortStableFunc(all, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return all
}

func named(spans []sdktrace.ReadOnlySpan, name string) (out []sdktrace.ReadOnlySpan) {
	for _, s := range spans {
		if s.Name() == name {
			out = append(out, s)
		}
	}
	return out
}

const (
	processed = "process WX_EVENTS"
	settled   = "settle WX_EVENTS"
)

// One event alone is one trace, from the producer's span to the consumer's.
func TestTraceOfOneEvent(t *testing.T) {
	t.Parallel()
	w := newTraced(t, sdktrace.AlwaysSample())
	w.sim.Inject(wechattest.Fault{Match: wechattest.Match{Endpoint: batchget}, Times: 1, Do: wechattest.Action{Code: -1}})
	w.lane(config())
	w.produce(7)
	w.consume(1)
	w.ended("look up", 1)
	all := w.ended(processed, 1)
	producer := named(all, "sign up 7")[0]
	var whole []sdktrace.ReadOnlySpan
	for _, s := range all {
		if s.SpanContext().TraceID() == producer.SpanContext().TraceID() {
			whole = append(whole, s)
		}
	}
	want := `internal sign up 7
  consumer process WX_EVENTS
    internal look up
      client POST /cgi-bin/user/info/batchget
      client POST /cgi-bin/user/info/batchget
      client settle WX_EVENTS
        client send wx.profiles.{appid}
    producer create wx.profiles.{appid}
      internal greet
`
	if got := tree(whole, trace.SpanID{}, ""); got != want {
		t.Errorf("the trace is\n%swant\n%s", got, want)
	}
	lookUp := named(whole, "look up")[0]
	if e := lookUp.Events(); len(e) != 1 || e[0].Name != "retry" || len(lookUp.Links()) != 0 {
		t.Errorf("look up: events %+v, links %+v; want one retry, and no link", e, lookUp.Links())
	}
	w.conventions(all)
}

// Many events are one batch, in a trace of its own that is linked with each of
// theirs; each record goes on in its own event's trace.
func TestTraceOfABatch(t *testing.T) {
	t.Parallel()
	w := newTraced(t, sdktrace.AlwaysSample())
	people := []int{1, 2, 3, 2} // of whom one has two events
	w.produce(people...)
	w.lane(config())
	w.consume(len(people))
	w.ended("look up", 1)
	all := w.ended(processed, len(people))
	batches := named(all, "look up")
	if len(batches) != 1 {
		t.Fatalf("%d batches", len(batches))
	}
	batch := batches[0]
	if batch.Parent().IsValid() {
		t.Error("the batch is a child of one of its events")
	}
	var linked, members []trace.SpanID
	for _, l := range batch.Links() {
		linked = append(linked, l.SpanContext.SpanID())
	}
	for _, s := range named(all, processed) {
		members = append(members, s.SpanContext().SpanID())
		if back := s.Links(); len(back) != 1 || back[0].SpanContext.SpanID() != batch.SpanContext().SpanID() {
			t.Errorf("an event has the links %+v, want one to its batch", back)
		}
	}
	byID := func(a, b trace.SpanID) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(linked, byID)
	slices.SortFunc(members, byID)
	if !slices.Equal(linked, members) {
		t.Errorf("the batch is linked to %v, want its events %v", linked, members)
	}
	for _, producer := range []string{"sign up 1", "sign up 2", "sign up 3"} {
		for _, s := range named(all, producer) {
			want := "consumer process WX_EVENTS\n  producer create wx.profiles.{appid}\n    internal greet\n"
			if got := tree(all, s.SpanContext().SpanID(), ""); got != want {
				t.Errorf("below %s:\n%swant\n%s", producer, got, want)
			}
		}
	}
	if got := tree(all, batch.SpanContext().SpanID(), ""); !strings.Contains(got, "client POST /cgi-bin/user/info/batchget\nclient settle WX_EVENTS\n  client send") {
		t.Errorf("below the batch:\n%s", got)
	}
	send := named(all, "send wx.profiles.{appid}")[0]
	if len(send.Links()) != len(people) {
		t.Errorf("the publish is linked to %d records, want %d", len(send.Links()), len(people))
	}
	w.conventions(all)
}

// A dead letter is an answer as well, and what is not sampled leaves no span
// and the producer's context as it is.
func TestTraceOfADeadLetter(t *testing.T) {
	t.Parallel()
	w := newTraced(t, sdktrace.ParentBased(sdktrace.NeverSample()))
	header := func(sampled string) string { return "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + sampled }
	w.lane(config())
	for _, sampled := range []string{"01", "00"} {
		m := &nats.Msg{Subject: "wx.events." + appid + ".subscribe", Data: []byte("no openid"), Header: nats.Header{events.HeaderTraceParent: {header(sampled)}}}
		if _, err := w.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	answers := w.answers(2)
	all := w.ended(processed, 1)
	var got []string
	for _, a := range answers {
		got = append(got, a.msg.Headers()[events.HeaderTraceParent][0])
	}
	created := named(all, "create wx.dead.{appid}.{reason}")
	if len(created) != 1 {
		t.Fatalf("spans: %s", tree(all, trace.SpanID{}, ""))
	}
	id := created[0].SpanContext().SpanID()
	want := []string{"00-4bf92f3577b34da6a3ce929d0e0e4736-" + id.String() + "-01", header("00")}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the letters carry %q, want %q", got, want)
	}
	if n := len(named(all, processed)); n != 1 {
		t.Errorf("%d events have spans, want the sampled one", n)
	}
	w.conventions(all)
}

// Records that cannot be stored show in the span of their settling.
func TestTraceOfARefusedPublish(t *testing.T) {
	t.Parallel()
	w := newTraced(t, sdktrace.AlwaysSample())
	output := func(maxBytes int64) {
		t.Helper()
		stream, err := w.js.Stream(t.Context(), "WX_PROFILES")
		if err != nil {
			t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		if cfg.MaxBytes = maxBytes; maxBytes > 0 {
			cfg.Discard = jetstream.DiscardNew
		}
		if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	output(1)
	w.lane(config())
	w.produce(1)
	w.ended("send wx.profiles.{appid}", 2)
	output(-1)
	all := w.ended(settled, 1)
	settle := named(all, settled)[0]
	if e := settle.Events(); len(e) < 2 || e[0].Name != "retry" {
		t.Errorf("events of the settling: %+v, want its retries", e)
	}
	sends := named(all, "send wx.profiles.{appid}")
	if first, last := sends[0], sends[len(sends)-1]; first.Status().Code != codes.Error || last.Status().Code == codes.Error {
		t.Errorf("the first publish says %+v and the last %+v", first.Status(), last.Status())
	}
}

// conventions holds spans to what OpenTelemetry's say of messaging and of HTTP
// clients, and looks for what must not be there.
func (w *traced) conventions(spans []sdktrace.ReadOnlySpan) {
	w.Helper()
	for _, s := range spans {
		attrs := attribute.NewSet(s.Attributes()...)
		operation, _, _ := strings.Cut(s.Name(), " ")
		var want []attribute.Key
		switch operation {
		case "process":
			want = []attribute.Key{semconv.MessagingMessageIDKey, semconv.MessagingDestinationNameKey, semconv.MessagingConsumerGroupNameKey}
		case "settle":
			want = []attribute.Key{semconv.MessagingBatchMessageCountKey, semconv.MessagingDestinationNameKey, semconv.MessagingConsumerGroupNameKey}
		case "send":
			want = []attribute.Key{semconv.MessagingBatchMessageCountKey, semconv.MessagingDestinationTemplateKey}
		case "create":
			want = []attribute.Key{semconv.MessagingMessageIDKey, semconv.MessagingDestinationTemplateKey}
		case "POST":
			want = []attribute.Key{
				semconv.HTTPRequestMethodKey, semconv.ServerAddressKey, semconv.ServerPortKey, semconv.URLFullKey, semconv.URLTemplateKey, semconv.HTTPResponseStatusCodeKey,
			}
		}
		if operation == "process" || operation == "settle" || operation == "send" || operation == "create" {
			want = append(want, semconv.MessagingSystemKey, semconv.MessagingOperationTypeKey, semconv.MessagingOperationNameKey)
			if got, _ := attrs.Value(semconv.MessagingOperationTypeKey); got.AsString() != operation {
				w.Errorf("%s: operation type %q", s.Name(), got.AsString())
			}
			if s.InstrumentationScope().SchemaURL != semconv.SchemaURL {
				w.Errorf("%s: schema %q", s.Name(), s.InstrumentationScope().SchemaURL)
			}
		}
		for _, key := range want {
			if !attrs.HasValue(key) {
				w.Errorf("%s: no %s", s.Name(), key)
			}
		}
		if strings.HasPrefix(s.Name(), "greet") {
			continue
		}
		said := fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Status())
		for _, no := range []string{"access_token", "?", secret, w.acc.OpenID(1), w.acc.OpenID(2), w.acc.OpenID(3), w.acc.OpenID(7)} {
			if strings.Contains(said, no) {
				w.Errorf("%s says %q: %s", s.Name(), no, said)
			}
		}
		if s.EndTime().Sub(s.StartTime()) > time.Minute {
			w.Errorf("%s took %v", s.Name(), s.EndTime().Sub(s.StartTime()))
		}
	}
}
