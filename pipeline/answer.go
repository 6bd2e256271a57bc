package pipeline

import (
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/wechat"
)

// An answer is what ends a delivery: its record or its dead letter. Where a lane
// has several outputs it ends when it is answered for each.
//
// A record becomes a message when it is published, in the memory of the one before
// it: see [Lane.message]. To make a hundred first and to publish them then takes
// memory for each, and finds it cold.
type answer struct {
	delivery *delivery
	fills    outputSet         // the outputs that it is for; empty: nothing is to be stored
	said     said              // what a record is made of, besides its delivery
	letter   *nats.Msg         // not nil: the dead letter
	cause    *cause            // of a dead letter; nil for a record
	created  trace.SpanContext // of its span; zero if it has none
	asOf     time.Time         // what it says of the person goes back to this
}

// said is what WeChat says of a person.
type said struct {
	user           *wechat.User // nil: nobody was asked
	source, marker string
	began          time.Time // when the look-up began
}

// unionID is that of a record, if it is known.
func (a *answer) unionID() string {
	switch {
	case a.cause != nil:
		return ""
	case a.said.user != nil:
		return a.said.user.UnionID
	case a.delivery.record != nil:
		return a.delivery.record.UnionID
	}
	return ""
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

// record answers d with what WeChat says of the person. The user must stay as it
// is until the answer is stored.
func (l *Lane) record(d *delivery, u *wechat.User, source, marker string, began time.Time) answer {
	a := l.unasked(d)
	a.said = said{u, source, marker, began}
	if d.event.Type == BackfillType && l.erased.Some() {
		a.asOf = followedAt(u)
	}
	return a
}

// unasked answers d with a record of what is known without asking anybody, on
// every output that does not hold it yet.
func (l *Lane) unasked(d *delivery) answer {
	return answer{delivery: d, fills: l.cfg.allOutputs() &^ d.stored, asOf: d.event.Source.Time}
}

// answerPlain answers those of whom nobody has to be asked.
func (l *Lane) answerPlain(c contexts, ds []*delivery) outcome {
	defer l.dying(func() []*delivery { return ds })
	answers := make([]answer, 0, len(ds))
	for _, d := range ds {
		switch {
		case d.erased:
			answers = append(answers, answer{delivery: d})
		case d.rejection != nil:
			answers = append(answers, l.deadLetter(d, &cause{reason: d.rejection.Reason, detail: d.rejection.Detail}, 0))
		case d.refused != nil:
			answers = append(answers, l.deadLetter(d, d.refused, 0))
		case d.known != nil:
			answers = append(answers, l.record(d, &d.known.user, events.FromRecent, "", d.known.began))
		default:
			answers = append(answers, l.unasked(d))
		}
	}
	l.settle(c, answers)
	return outcome{plain: ds}
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
	return answer{delivery: d, letter: letter.Msg(subject), fills: l.cfg.allOutputs(), cause: why, asOf: erasedAsOf(e.Type, e.Source.Time)}
}

// langOf is the language to ask for.
func (l *Lane) langOf(e *events.Event) string {
	if e.Lang != "" {
		return e.Lang
	}
	return l.cfg.Lang
}
