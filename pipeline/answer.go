package pipeline

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// An answer is what ends a delivery: its record or its dead letter. Where a lane
// has several outputs it ends when it is answered for each.
type answer struct {
	delivery *delivery
	msg      *nats.Msg         // nil: nothing is to be stored
	envelope *events.Envelope  // of a record: what msg is in
	fills    outputSet         // the outputs that it is for: a record one, a dead letter all
	also     []answer          // records for further outputs
	cause    *cause            // of a dead letter; nil for a record
	created  trace.SpanContext // of its span; zero if it has none
	unionID  string            // of a record
	asOf     time.Time         // what it says of the person goes back to this
}

// cause is why an event becomes a dead letter.
type cause struct {
	reason   events.Reason
	code     int    // WeChat's errcode, 0 if it has not spoken
	detail   string // for a person; redacted, without openids
	attempts int    // calls made for this openid
}

// causeOf makes a cause of a failed call.
func causeOf(reason events.Reason, err error, attempts int) *cause {
	c := &cause{reason: reason, attempts: attempts}
	if e := failure(err); e != nil {
		c.code, c.detail = e.Code, e.Message
	}
	return c
}

// record answers d with what WeChat says of the person.
func (l *Lane) record(d *delivery, u *wechat.User, source, marker string, began time.Time) answer {
	r := events.Record{
		Event:     d.event,
		UnionID:   u.UnionID,
		Status:    events.Following,
		Lang:      l.langOf(&d.event),
		FetchedAt: began,
		Source:    source,
		Marker:    marker,
		Replay:    l.generation(d),
		Hop:       d.hop(),
		User:      events.User{Raw: events.CheckedJSON(u.Raw)},
	}
	if u.Subscribe == 0 {
		r.Status = events.NotFollowing
	}
	a := l.encode(d, &r)
	if d.event.Type == BackfillType && a.cause == nil && l.erased.Some() {
		a.asOf = followedAt(u)
		for i := range a.also {
			a.also[i].asOf = a.asOf
		}
	}
	return a
}

// unsubscribed answers an unsubscribe event: it is all there is to know, so
// nobody is asked. It is as true as of the moment the event was stored, and
// orders by that against look-ups.
func (l *Lane) unsubscribed(d *delivery) answer {
	return l.encode(d, &events.Record{
		Event:     d.event,
		Status:    events.Unsubscribed,
		FetchedAt: d.event.Source.Time,
		Replay:    l.generation(d),
		Hop:       d.hop(),
	})
}

// answerPlain answers those of whom nobody has to be asked.
func (l *Lane) answerPlain(c contexts, ds []*delivery) outcome {
	defer l.dying(func() []*delivery { return ds })
	answers := make([]answer, 0, len(ds))
	for _, d := range ds {
		switch {
		case d.erased:
			answers = append(answers, answer{delivery: d})
		case d.record != nil:
			answers = append(answers, l.again(d))
		case d.rejection != nil:
			answers = append(answers, l.deadLetter(d, &cause{reason: d.rejection.Reason, detail: d.rejection.Detail}, 0))
		case d.refused != nil:
			answers = append(answers, l.deadLetter(d, d.refused, 0))
		case d.known != nil:
			answers = append(answers, l.record(d, &d.known.user, events.FromRecent, "", d.known.began))
		default:
			answers = append(answers, l.unsubscribed(d))
		}
	}
	l.settle(c, answers)
	return outcome{plain: ds}
}

// encode answers d with a record, on every output that does not hold it yet.
func (l *Lane) encode(d *delivery, r *events.Record) (a answer) {
	for i := range l.cfg.Outputs {
		fills := onlyOutput(i)
		if d.stored.has(fills) {
			continue
		}
		envelope, err := l.cfg.Outputs[i].record(r)
		if err != nil {
			return l.deadLetter(d, &cause{reason: events.Unresolved, detail: err.Error()}, 0)
		}
		msg := &envelope.Msg
		d.noteDeliveries(msg.Header)
		one := answer{delivery: d, msg: msg, envelope: envelope, fills: fills, unionID: r.UnionID, asOf: d.event.Source.Time}
		l.tracing.create(&one)
		if a.msg == nil {
			a = one
		} else {
			a.also = append(a.also, one)
		}
	}
	return a
}

// deadLetter answers d with its own bytes and the reason why there is no
// record. limit bounds the message, headers included; 0 is no bound.
func (l *Lane) deadLetter(d *delivery, why *cause, limit int) answer {
	e := &d.event
	letter := events.DeadLetter{
		Message:  d.original(),
		EventID:  e.ID,
		AppID:    l.cfg.AppID,
		Reason:   why.reason,
		Code:     why.code,
		Detail:   why.detail,
		Attempts: why.attempts + d.attempts(),
		Time:     time.Now(),
		Replay:   l.generation(d),
		Hop:      d.hop(),
		Limit:    limit,
	}
	subject := l.cfg.Dead.Expand(events.Vars{AppID: l.cfg.AppID, Reason: string(why.reason)})
	msg := letter.Msg(subject)
	d.noteDeliveries(msg.Header)
	a := answer{delivery: d, msg: msg, fills: l.cfg.allOutputs(), cause: why, asOf: erasedAsOf(e.Type, e.Source.Time)}
	l.tracing.create(&a)
	return a
}

// smaller is the answer in place of one that the server does not take. A
// dead letter is larger than its input by its headers: what cannot be stored
// of the original is cut, and it says so.
func (l *Lane) smaller(a answer) answer {
	why, limit := a.cause, 0
	if why == nil {
		why = &cause{reason: events.TooLarge, detail: "the record is larger than the output takes"}
	} else {
		limit = min(l.out.maxPayload(), a.msg.Size()/2)
	}
	letter := l.deadLetter(a.delivery, why, limit)
	letter.fills = a.fills // other outputs may take theirs
	return letter
}

// passTrace carries the producer's trace context to the answer.
func passTrace(to, from nats.Header) {
	for _, name := range [...]string{events.HeaderTraceParent, events.HeaderTraceState} {
		if v := from[name]; len(v) > 0 {
			to[name] = v
		}
	}
}

// noteDeliveries leaves a trace of how often an event came, for whoever has to
// explain it: the server forgets that with the acknowledgement.
func (d *delivery) noteDeliveries(h nats.Header) {
	if d.deliveries > 1 && d.letter == nil {
		h[events.HeaderDeliveries] = []string{strconv.FormatUint(d.deliveries, 10)}
	}
}

// langOf is the language to ask for.
func (l *Lane) langOf(e *events.Event) string {
	if e.Lang != "" {
		return e.Lang
	}
	return l.cfg.Lang
}
