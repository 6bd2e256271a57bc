package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline"
)

// The output is one section, or a list of such sections: a record then goes to
// each. As an only one its keys are output.format and so on, in a list
// output[0].format, and WXENRICH_OUTPUT_0_FORMAT means either.

// OutputPath is the path of the i-th output.
func (c *Config) OutputPath(i int) string {
	if len(c.Outputs) == 1 {
		return "output"
	}
	return listedOutput(i)
}

func listedOutput(i int) string { return "output[" + strconv.Itoa(i) + "]" }

// setOutputs makes n outputs, with the defaults of each.
func (c *Config) setOutputs(n int) {
	for len(c.Outputs) < n {
		c.Outputs = append(c.Outputs, Output{})
		setDefaults(reflect.ValueOf(&c.Outputs[len(c.Outputs)-1]).Elem())
	}
}

// outputList reads the one output or the list.
func (l *loader) outputList(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.section(n, reflect.ValueOf(&l.cfg.Outputs[0]).Elem(), "output")
		return
	}
	if len(n.Content) == 0 {
		l.fault("output", l.at(n), "is an empty list: want one output at least")
	}
	l.cfg.setOutputs(len(n.Content))
	for i, item := range n.Content {
		path := l.cfg.OutputPath(i)
		l.cfg.origins[path] = Origin{"file", l.at(item)}
		l.section(item, reflect.ValueOf(&l.cfg.Outputs[i]).Elem(), path)
	}
}

var outputVar = regexp.MustCompile(`^WXENRICH_OUTPUT_([0-9]{1,2})_`)

// envOutputs adds an output for each number that the variables use beyond the
// file's, and says who set what of one that is not the only one any more.
func (l *loader) envOutputs() {
	n := len(l.cfg.Outputs)
	for _, name := range l.names {
		if m := outputVar.FindStringSubmatch(name); m != nil {
			i, _ := strconv.Atoi(m[1])
			n = max(n, i+1)
		}
	}
	if n == len(l.cfg.Outputs) {
		return
	}
	if len(l.cfg.Outputs) == 1 {
		for path, o := range l.cfg.origins {
			if key, ok := strings.CutPrefix(path, "output."); ok {
				delete(l.cfg.origins, path)
				l.cfg.origins[join(listedOutput(0), key)] = o
			}
		}
	}
	l.cfg.setOutputs(n)
}

// settlePublish gives each output the way of publishing that nobody has set: it
// is about the server.
func (l *loader) settlePublish() {
	for i := range l.cfg.Outputs {
		switch o := &l.cfg.Outputs[i]; {
		case l.cfg.Origin(l.cfg.OutputPath(i)+".publish").Layer != "default":
		case i > 0:
			o.Publish = l.cfg.Outputs[0].Publish
		case l.cfg.NATS.Embedded:
			o.Publish = "atomic" // the embedded server syncs every write
		}
	}
}

// checkAnswers checks the outputs, the dead letters, and that none of them is
// taken for another.
func (l *loader) checkAnswers() {
	c := l.cfg
	if n := len(c.Outputs); n > pipeline.MaxOutputs {
		l.wrong("output", "has %d items: want at most %d", n, pipeline.MaxOutputs)
	}
	for i, o := range c.Outputs {
		path := c.OutputPath(i)
		l.stream(path+".stream", o.Stream)
		l.template(path+".subject", o.Subject, "appid", "openid", "unionid", "type")
		l.checkStorage(path, o.Storage)
		if _, err := events.ParseKeep(o.Fields); err != nil {
			l.wrong(path+".fields", "%s", unprefixed(err))
		}
		if o.Publish != c.Outputs[0].Publish {
			l.wrong(path+".publish", "is %s, and %s.publish %s: want the same, it is about the server", o.Publish, c.OutputPath(0), c.Outputs[0].Publish)
		}
	}
	l.stream("dead.stream", c.Dead.Stream)
	l.template("dead.subject", c.Dead.Subject, "appid", "reason", "type")
	l.checkStorage("dead", c.Dead.Storage)
	places := c.answers()
	for i, p := range places {
		for _, other := range places[:i] {
			if p.stream == other.stream {
				l.wrong(p.path+".stream", "%s is %s.stream too: want one of its own", p.stream, other.path)
			}
			if overlap(p.subject, other.subject) {
				l.wrong(p.path+".subject", "%s may be the same as %s.subject, %s: want one of its own", p.subject, other.path, other.subject)
			}
		}
	}
}

// answerPlace is where answers go.
type answerPlace struct{ path, stream, subject string }

// answers are the places of records and dead letters.
func (c *Config) answers() []answerPlace {
	var all []answerPlace
	for i, o := range c.Outputs {
		all = append(all, answerPlace{c.OutputPath(i), o.Stream, o.Subject})
	}
	return append(all, answerPlace{"dead", c.Dead.Stream, c.Dead.Subject})
}

// answerSubject reports whether a subject may be an answer's.
func (c *Config) answerSubject(s string) bool {
	return slices.ContainsFunc(c.answers(), func(p answerPlace) bool { return overlap(s, p.subject) })
}
