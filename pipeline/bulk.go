package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// bulkLane is a lane that does a job beside the live one: the same account, the
// same limits and the same output, a durable of its own.
func (l *Lane) bulkLane(j *job.Job) (*Lane, error) {
	cfg := l.cfg
	cfg.Durable = j.ID
	cfg.Start = Start{mode: startSeq, seq: j.Range.From}
	cfg.Stream, cfg.Subjects = j.Range.Stream, j.Range.Subjects
	cfg.Manage = events.Create // it is ours, whoever made the streams
	cfg.RecentMaxAge = 0
	if j.Spec.Output != "" || j.Spec.Format != "" {
		var err error
		if cfg.Outputs, err = outputOf(&cfg, &j.Spec); err != nil {
			return nil, err
		}
	}
	t := &task{
		gen: j.ID, since: j.Started, began: j.Started, to: j.Range.To, rate: j.Spec.Rate, maxAge: j.Spec.MaxAge, keep: keepOnly(j.Spec),
		metadata: map[string]string{"wxenrich-job": j.ID},
	}
	if j.Kind == job.Redrive {
		if j.Spec.Letters == nil {
			return nil, errors.New("it does not say which dead letters are meant: another version has written it")
		}
		t.gen, t.letters, t.since = "", j.Spec.Letters, j.Spec.Letters.Oldest
	}
	t.records = j.Spec.Records
	if j.Kind == job.Backfill {
		t.gen = "" // its events are events like others
		t.keep = func(e *events.Event) bool { return strings.HasPrefix(e.ID, j.ID+"-") }
		t.shared = true // a job beside it makes events too
	}
	bulk, err := l.besides(j, cfg)
	if err != nil {
		return nil, err
	}
	bulk.task = t
	return bulk, nil
}

// outputOf is the one output of a job that asks for one: that of the subject, as
// it is configured, or else the first with another subject.
func outputOf(cfg *Config, s *job.Spec) ([]Output, error) {
	o := cfg.Outputs[0]
	if s.Output != "" {
		t, err := events.ParseTemplate(s.Output, "appid", "openid", "unionid", "type")
		if err != nil {
			return nil, err
		}
		own := func(t events.Template) string { return strings.ReplaceAll(t.String(), "{appid}", cfg.AppID) }
		if i := slices.IndexFunc(cfg.Outputs, func(o Output) bool { return own(o.Subject) == own(t) }); i >= 0 {
			o = cfg.Outputs[i]
		}
		o.Subject = t
	}
	if s.Format != "" {
		o.Format = events.Format(s.Format)
	}
	return []Output{o}, nil
}

// checkOutput refuses a job whose records would be taken for something else: in the
// input each would be an event, and looked up again. The command that writes jobs
// refuses it too, and other accounts' inputs, but anybody may write one.
func (l *Lane) checkOutput(ctx context.Context, j *job.Job) error {
	if j.Spec.Output == "" {
		return nil
	}
	subject := answersOf(l.cfg.Outputs[0].Subject, l.cfg.AppID)
	streams := l.js.StreamNames(ctx, jetstream.WithStreamListSubject(subject))
	var wrong error
	for name := range streams.Name() { // all that take any of it
		what := ""
		switch name {
		case l.live.cfg.Stream:
			what = "events"
		case l.cfg.Crawls.Stream.Name:
			what = "lists of followers"
		case l.cfg.Erase.Notices.Name:
			what = "notices of who is erased"
		default:
			if dead, err := l.js.StreamNameBySubject(ctx, answersOf(l.cfg.Dead, l.cfg.AppID)); err == nil && dead == name {
				what = "dead letters"
			}
		}
		if what != "" {
			wrong = fmt.Errorf("its records would go to %s, which is for %s", name, what)
		}
	}
	return wrong // if they cannot be listed, the lane waits for its output anyway
}

// besides is a lane beside the live one, with the same limits.
func (l *Lane) besides(j *job.Job, cfg Config) (*Lane, error) {
	bulk, err := NewLane(Deps{
		JS: l.js, Out: l.out, WeChat: l.wechat, Log: l.log, Rand: l.rand,
		Recent: l.recent, Board: l.board, Erased: l.erased, Renewed: l.renewed, TokenHint: l.hint, Tracer: l.tracing.provider(),
	}, cfg)
	if err != nil {
		return nil, err
	}
	bulk.live = l
	bulk.log = l.log.With(slog.String("job", j.ID))
	bulk.state.log = bulk.log
	bulk.throttle, bulk.budget, bulk.room = l.throttle, l.budget, l.room
	return bulk, nil
}

// keepOnly is which events a job answers; nil if all.
func keepOnly(s job.Spec) func(*events.Event) bool {
	if len(s.Types)+len(s.OpenIDs)+len(s.IDs) == 0 {
		return nil
	}
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return func(e *events.Event) bool {
		return in(s.Types, e.Type) && in(s.OpenIDs, e.OpenID) && in(s.IDs, e.ID)
	}
}

// done is what a task has done since it was begun.
func (l *Lane) done(began time.Time) job.Progress {
	c := l.stats.Counts()
	var dead int64
	for _, n := range c.DeadLetters {
		dead += n
	}
	skipped := l.stats.skipped.Load() + c.Erased
	return job.Progress{
		Done: c.Records + dead + c.Repeats + skipped, Records: c.Records, Dead: dead, Skipped: skipped, Repeats: c.Repeats,
		Calls: c.Calls, Active: time.Since(began).Round(time.Millisecond),
	}
}

// isOver reports whether a task has come to the end of its range.
func (l *Lane) isOver() bool { return l.task.over.Load() }

// waitsFor says why a task stands still; empty if it does not.
func (l *Lane) waitsFor() string {
	switch s := l.State(); {
	case s.Phase == Held:
		return "the account is on hold: " + s.Hold.Reason
	case s.Phase == Connecting || s.Phase == Paused:
		return s.Reason
	case s.Output != "":
		return "the output does not take records: " + s.Output
	case l.task.starved.Load():
		return "its share of the day's quota is spent, or live traffic needs what is left; it goes on after midnight in Beijing"
	}
	return ""
}
