package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// past is what the streams tell of an account's people and events.
type past struct {
	refused  people  // of whom there is a dead letter since WeChat has refused them
	share    float64 // of those who were answered, how many were refused
	answers  float64 // of which that is known
	stream   string  // the input
	subjects []string
	floor    uint64   // of the input: up to it all events on these subjects are answered
	done     []string // backfills that have answered all their events
}

// answered reports whether an event has its answer, from the live lane or a backfill.
func (p *past) answered(e *events.Event) bool {
	if slices.ContainsFunc(p.done, func(id string) bool { return strings.HasPrefix(e.ID, id+"-") }) {
		return true
	}
	if e.Source.Stream != p.stream || e.Source.Seq > p.floor {
		return false
	}
	return slices.ContainsFunc(p.subjects, func(own string) bool { return events.Captures(own, e.Source.Subject) })
}

// readPast reads the dead letters of those who were refused, and what has become
// of the account's events.
func readPast(ctx context.Context, js jetstream.JetStream, board *Board, cfg Config, dec *events.Decoder) (*past, error) {
	p := &past{refused: make(people), stream: cfg.Stream, subjects: cfg.Subjects}
	for _, j := range board.Jobs(cfg.AppID) {
		if j.Kind == job.Backfill && j.State == job.Done {
			p.done = append(p.done, j.ID)
		}
	}
	c, err := js.Consumer(ctx, cfg.Stream, cfg.Durable)
	switch {
	case err == nil:
		p.floor = c.CachedInfo().AckFloor.Stream
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, fmt.Errorf("durable %s: %w", cfg.Durable, err)
	}
	subject := answersAt(strings.ReplaceAll(cfg.Dead.String(), "{reason}", string(events.Rejected)), cfg.AppID)
	name, err := js.StreamNameBySubject(ctx, subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return p, nil // nobody has died yet
	}
	if err != nil {
		return nil, fmt.Errorf("stream of %s: %w", subject, err)
	}
	reading := dead.Reading{
		Place:     dead.Place{Stream: name, Subjects: []string{subject}},
		Selection: dead.Selection{AppID: cfg.AppID, Reasons: []events.Reason{events.Rejected}}, Bodies: true,
	}
	letters, err := dead.Read(ctx, js, reading, func(l *dead.Letter) bool {
		if e, err := l.Event(dec); err == nil {
			p.refused.add(e.OpenID)
		}
		return true
	})
	if err != nil || letters.Read == 0 {
		return p, err
	}
	records, err := countAnswers(ctx, js, cfg)
	p.answers = float64(letters.Read + records)
	p.share = float64(letters.Read) / p.answers
	return p, err
}

// countAnswers is how many records the first output holds of the account.
func countAnswers(ctx context.Context, js jetstream.JetStream, cfg Config) (uint64, error) {
	subject := answersOf(cfg.Outputs[0].Subject, cfg.AppID)
	name, err := js.StreamNameBySubject(ctx, subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stream of %s: %w", subject, err)
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", name, err)
	}
	return CountRange(ctx, js, job.Range{Stream: name, Subjects: []string{subject}, From: 1, To: stream.CachedInfo().State.LastSeq})
}
