package pipeline

import (
	"context"
	"math/bits"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/wxenrich/wxenrich/events"
)

// tracing makes a lane's spans, by OpenTelemetry's conventions for messaging:
//
//	process <stream>   an event, from our hands on until its answer is stored;
//	                   a child of the producer's span
//	look up            a batch, linked to its events and they to it; a child of
//	                   the event if it is only one. WeChat's calls are below it
//	settle <stream>    answers stored and events acknowledged
//	send <subject>     one publish of them
//	create <subject>   an answer, below its event: what its consumer goes on from
//
// Only an event that is sampled has spans, and what is done for none of them
// has none either: at a small share of events the others cost one decision. A
// nil tracing makes none and costs nothing. No span has an openid in it.
type tracing struct {
	by     trace.TracerProvider
	tracer trace.Tracer
	own    attribute.KeyValue // the account

	process, settle      string // names of spans
	processing, settling []attribute.KeyValue
	consumer             []trace.SpanStartOption // made once: an event that is not sampled costs little else
	records              []destination           // by output
	letters              destination
}

const tracerName = "github.com/wxenrich/wxenrich/pipeline"

// The system is not in the conventions' list, which allows others.
var natsSystem = semconv.MessagingSystemKey.String("nats")

func newTracing(p trace.TracerProvider, cfg *Config) *tracing {
	if p == nil {
		return nil
	}
	t := &tracing{
		by: p, tracer: p.Tracer(tracerName, trace.WithSchemaURL(semconv.SchemaURL)),
		own:     attribute.String("wechat.appid", cfg.AppID),
		process: "process " + cfg.Stream, settle: "settle " + cfg.Stream,
		letters: destinationOf(cfg, cfg.Dead),
	}
	input := func(operation attribute.KeyValue) []attribute.KeyValue {
		return []attribute.KeyValue{
			natsSystem, t.own, operation, semconv.MessagingOperationName(operation.Value.AsString()),
			semconv.MessagingDestinationName(cfg.Stream), semconv.MessagingConsumerGroupName(cfg.Durable),
		}
	}
	t.consumer = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	t.processing, t.settling = input(semconv.MessagingOperationTypeProcess), input(semconv.MessagingOperationTypeSettle)
	for _, o := range cfg.Outputs {
		t.records = append(t.records, destinationOf(cfg, o.Subject))
	}
	return t
}

// provider is what another lane needs to make spans too.
func (t *tracing) provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.by
}

// destination is where answers go.
type destination struct {
	template string
	attrs    []attribute.KeyValue
}

// destinationOf describes a subject. A template may make one of an openid: then
// it is all that is said.
func destinationOf(cfg *Config, subject events.Template) destination {
	d := destination{template: subject.String()}
	d.attrs = []attribute.KeyValue{natsSystem, attribute.String("wechat.appid", cfg.AppID), semconv.MessagingDestinationTemplate(d.template)}
	if name := strings.ReplaceAll(d.template, "{appid}", cfg.AppID); !strings.Contains(name, "{") {
		d.attrs = append(d.attrs, semconv.MessagingDestinationName(name))
	}
	return d
}

// to is where an answer goes.
func (t *tracing) to(a *answer) destination {
	if a.cause != nil {
		return t.letters
	}
	return t.records[bits.TrailingZeros8(uint8(a.fills))]
}

// begin begins an event's span.
func (t *tracing) begin(d *delivery) {
	if t == nil || d.left {
		return
	}
	_, span := t.tracer.Start(events.WithTrace(context.Background(), d.msg.Headers()), t.process, t.consumer...)
	if !span.IsRecording() {
		return
	}
	d.span = span
	span.SetAttributes(t.processing...)
	span.SetAttributes(semconv.MessagingMessageID(d.event.Source.MsgID("")), semconv.MessagingMessageBodySize(len(d.msg.Data())))
	if d.deliveries > 1 {
		span.SetAttributes(attribute.Int64("nats.deliveries", int64(d.deliveries)))
	}
}

// ended ends an event's span; outcome is what became of the event.
func (d *delivery) ended(outcome string) {
	if d.span != nil {
		d.span.SetAttributes(attribute.String("wxenrich.outcome", outcome))
		d.span.End()
		d.span = nil
	}
}

// nothing is the span of what is not traced.
var nothing trace.Span = noop.Span{}

// lookUp begins the span of a batch, and gives it to c.
func (t *tracing) lookUp(c contexts, items []*item) (contexts, trace.Span) {
	if t == nil {
		return c, nothing
	}
	ds := waiters(items)
	ctx, span := t.over(c.abort, ds, "look up", trace.WithAttributes(t.own, semconv.MessagingBatchMessageCount(len(ds)), attribute.Int("wechat.openids", len(items))))
	c.abort = ctx
	return c, span
}

// over begins a span about events: below the span of the only one, else in a
// trace of its own, linked with those that are sampled. Where none is, there is
// no span.
func (t *tracing) over(ctx context.Context, ds []*delivery, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	var sampled []trace.Span
	for _, d := range ds {
		if d.span != nil {
			sampled = append(sampled, d.span)
		}
	}
	switch {
	case len(sampled) == 0:
		return ctx, nothing
	case len(ds) == 1:
		return t.tracer.Start(trace.ContextWithSpan(ctx, sampled[0]), name, opts...)
	}
	links := make([]trace.Link, len(sampled))
	for i, s := range sampled {
		links[i].SpanContext = s.SpanContext()
	}
	ctx, span := t.tracer.Start(ctx, name, append(opts, trace.WithNewRoot(), trace.WithLinks(links...))...)
	for _, s := range sampled {
		s.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return ctx, span
}

// retried notes in a batch's span that a call is repeated, and why.
func retried(ctx context.Context, err error, wait time.Duration) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attrs := []attribute.KeyValue{attribute.Float64("wxenrich.wait", wait.Seconds())}
	if e := failure(err); e != nil {
		attrs = append(attrs, semconv.ErrorTypeKey.String(e.Class.String()), attribute.Int("wechat.errcode", e.Code))
	}
	span.AddEvent("retry", trace.WithAttributes(attrs...))
}

// say completes a batch's span with what came of it.
func (o *outcome) say(span trace.Span) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.Int("wxenrich.openids.answered", len(o.done)), attribute.Int("wxenrich.openids.left", o.left()))
	if o.hold != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(o.hold.Reason), attribute.Int("wechat.errcode", o.hold.Code))
		span.SetStatus(codes.Error, "the account is on hold: "+o.hold.Reason)
	}
}

// settled begins the span of answers that are stored and acknowledged.
func (t *tracing) settled(ctx context.Context, answers []answer) (context.Context, trace.Span) {
	if t == nil || len(answers) == 0 {
		return ctx, nothing
	}
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.settling...), trace.WithAttributes(semconv.MessagingBatchMessageCount(len(answers)))}
	if trace.SpanContextFromContext(ctx).IsSampled() {
		return t.tracer.Start(ctx, t.settle, opts...)
	}
	ds := make([]*delivery, len(answers))
	for i, a := range answers {
		ds[i] = a.delivery
	}
	return t.over(ctx, ds, t.settle, opts...)
}

// publish begins the span of one publish of answers.
func (t *tracing) publish(ctx context.Context, answers []answer) trace.Span {
	if t == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return nothing
	}
	var links []trace.Link
	for _, a := range answers {
		if a.created.IsValid() {
			links = append(links, trace.Link{SpanContext: a.created})
		}
	}
	to := t.to(&answers[0]) // as most of them
	_, span := t.tracer.Start(ctx, "send "+to.template, trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(links...), trace.WithAttributes(to.attrs...),
		trace.WithAttributes(semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send"), semconv.MessagingBatchMessageCount(len(answers))))
	return span
}

// create gives an answer a span of its own below its event's, if that has one.
func (t *tracing) create(a *answer, generation string) {
	d := a.delivery
	if t == nil || d.span == nil || a.fills == 0 {
		return
	}
	id := d.event.Source.MsgID(generation)
	if a.letter != nil {
		id = a.letter.Header[events.HeaderMsgID][0]
	}
	to := t.to(a)
	_, span := t.tracer.Start(trace.ContextWithSpan(context.Background(), d.span), "create "+to.template, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(to.attrs...),
		trace.WithAttributes(semconv.MessagingOperationTypeCreate, semconv.MessagingOperationName("create"), semconv.MessagingMessageID(id)))
	a.created = span.SpanContext()
	span.End()
}

// passTrace gives an answer's message its trace context: that of its span, else
// what the producer has sent along.
func (a *answer) passTrace(to nats.Header) {
	if a.created.IsValid() {
		events.SetTrace(trace.ContextWithSpanContext(context.Background(), a.created), to)
		return
	}
	from := a.delivery.original().Header
	for _, name := range [...]string{events.HeaderTraceParent, events.HeaderTraceState} {
		if v := from[name]; len(v) > 0 {
			to[name] = v
		}
	}
}

// stored ends the span of a publish.
func stored(span trace.Span, errs []error) {
	if !span.IsRecording() {
		return
	}
	failed := 0
	for _, err := range errs {
		if err != nil {
			failed++
			span.SetStatus(codes.Error, err.Error())
			span.SetAttributes(semconv.ErrorType(err))
		}
	}
	if failed > 0 {
		span.SetAttributes(attribute.Int("wxenrich.messages.failed", failed))
	}
	span.End()
}
