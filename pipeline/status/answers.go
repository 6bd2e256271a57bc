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
	switch stream := r.streams[l.Output]; {
	case stream == nil:
	case l.OutputSubject == "":
		a.Notes = append(a.Notes, "records are not counted: the output has a subject for each person")
	default:
		found, err := count(ctx, stream, l.OutputSubject)
		if err != nil {
			return err
		}
		var records uint64
		for _, n := range found {
			records += n
		}
		a.Records = &records
	}
	if stream := r.streams[l.Dead]; stream != nil {
		found, err := count(ctx, stream, l.DeadSubject)
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
