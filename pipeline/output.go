package pipeline

import (
	"fmt"
	"iter"
	"sync"

	"github.com/wxenrich/wxenrich/events"
)

// Output is a place for records and how they look there. A lane may have
// several, so that two formats, or two versions of the schema, run side by
// side: an event then has a record in each, or one dead letter. Each has a
// stream of its own, for a record's message id is the same in all.
type Output struct {
	Subject     events.Template // default wx.profiles.{appid}
	Format      events.Format   // default msgpack
	Keep        *events.Keep    // what of a record is stored; default nil, everything
	CloudEvents bool            // records are CloudEvents in binary mode as well; default false
}

// MaxOutputs is how many outputs a lane may have.
const MaxOutputs = 8

// outputSet is a set of a lane's outputs: bit i is that of Config.Outputs[i].
type outputSet uint8

func onlyOutput(i int) outputSet { return 1 << i }

// allOutputs is those that the account has.
func (c *Config) allOutputs() outputSet { return 1<<len(c.Outputs) - 1 }

func (s outputSet) has(of outputSet) bool { return s&of == of }

// first is the set of the set's first output; empty if it has none.
func (s outputSet) first() outputSet { return s & -s }

// each yields the outputs of the set one by one.
func (s outputSet) each() iter.Seq[outputSet] {
	return func(yield func(outputSet) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(s.first()) {
				return
			}
		}
	}
}

// spread makes of each record as many answers as there are outputs for it; a dead
// letter is one for all. Those for further outputs are behind the others, one output
// after the other: what is for one stream can be published at once.
func spread(answers []answer) []answer {
	n := len(answers)
	var further outputSet
	for _, a := range answers {
		if a.cause == nil {
			further |= a.fills &^ a.fills.first()
		}
	}
	for one := range further.each() {
		for _, a := range answers[:n] {
			if a.cause == nil && a.fills.has(one) && a.fills.first() != one {
				a.fills = one
				answers = append(answers, a)
			}
		}
	}
	for i, a := range answers[:n] {
		if a.cause == nil {
			answers[i].fills = a.fills.first()
		}
	}
	return answers
}

// envelopes are those that records are published in.
var envelopes = sync.Pool{New: func() any { return new(events.Envelope) }}

// fill makes the envelope's message the one that holds r at an output.
func (o *Output) fill(env *events.Envelope, r *events.Record) error {
	e := &r.Event
	var room [128]byte
	subject := o.Subject.Append(room[:0], events.Vars{AppID: e.AppID, OpenID: e.OpenID, UnionID: r.UnionID, Type: e.Type})
	if string(subject) != env.Msg.Subject { // the same for all, as a rule
		env.Msg.Subject = string(subject)
	}
	if o.Keep != nil {
		kept := *r
		o.Keep.Apply(&kept)
		r = &kept
	}
	if err := r.Fill(env, o.Format); err != nil {
		return err
	}
	if o.CloudEvents {
		r.AddCloudEvent(&env.Msg, o.Format)
	}
	return nil
}

// apart refuses two outputs in one stream: the second record of an event would
// be dropped there as a repeat of the first.
func (l *Lane) apart(places []place) error {
	subjects := make(map[string]string, len(places))
	for i, p := range places[:len(l.cfg.Outputs)] {
		if i > 0 && subjects[p.stream] != "" {
			return &Refusal{l.cfg.AppID,
				fmt.Sprintf("%s and %s, of two outputs, are in one stream, %s", subjects[p.stream], p.subject, p.stream),
				"give each output a stream of its own: the records of an event have the same message id"}
		}
		subjects[p.stream] = p.subject
	}
	return nil
}
