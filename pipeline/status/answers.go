package status

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// answers counts what is stored.
func (r *reader) answers(ctx context.Context, l *Lane, a *Account) error {
	for i, p := range l.Records {
		records, err := r.records(ctx, p, a)
		if err != nil {
			return err
		}
		if i == 0 {
			a.Records = records
		}
		if len(l.Records) > 1 {
			a.Outputs = append(a.Outputs, Output{p.Stream, records})
		}
	}
	if stream := r.streams[l.Dead.Stream]; stream != nil {
		found, err := count(ctx, stream, l.Dead.Subject)
		if err != nil {
			return err
		}
		a.DeadLetters = make(map[events.Reason]uint64)
		for subject, n := range found {
			a.DeadLetters[reason(subject)] += n
		}
	}
	return nil
}

// records counts what an output holds; nil if nobody can say.
func (r *reader) records(ctx context.Context, p Place, a *Account) (*uint64, error) {
	stream := r.streams[p.Stream]
	if stream == nil {
		return nil, nil
	}
	if p.Subject == "" {
		a.Notes = append(a.Notes, "records of "+p.Stream+" are not counted: it has a subject for each person")
		return nil, nil
	}
	found, err := count(ctx, stream, p.Subject)
	if err != nil {
		return nil, err
	}
	var n uint64
	for _, of := range found {
		n += of
	}
	return &n, nil
}

// count is how many messages a stream has of each subject.
func count(ctx context.Context, stream jetstream.Stream, filter string) (map[string]uint64, error) {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream.CachedInfo().Config.Name, err)
	}
	return info.State.Subjects, nil
}

// reason is the token of a dead letter's subject that names one.
func reason(subject string) events.Reason {
	for token := range strings.SplitSeq(subject, ".") {
		for _, r := range events.Reasons() {
			if token == string(r) {
				return r
			}
		}
	}
	return "other"
}
