package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// openDurable notes how far a lane's durable is, before anything is read: what
// it has acknowledged by now has its answer stored by now.
func (r *run) openDurable(ctx context.Context, i int) error {
	l, b := &r.scope.Lanes[i], &r.report.Lanes[i]
	b.AppID, b.Stream, b.Part, b.Output = l.AppID, l.Stream, l.Part, l.named()
	if l.Waiting != nil {
		r.lanes[i].floor = math.MaxUint64
		return nil
	}
	consumer, err := r.streams[l.Stream].Consumer(ctx, l.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		r.note("account %s: stream %s has no durable %s; what is unanswered counts as pending", l.AppID, l.Stream, l.Durable)
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit: durable %s of stream %s: %w", l.Durable, l.Stream, err)
	}
	info := consumer.CachedInfo()
	b.AckFloor, b.InHand = info.AckFloor.Stream, info.NumAckPending
	r.lanes[i].floor, r.lanes[i].life = info.AckFloor.Stream, info.Created
	r.lanes[i].start = plan.Begin(info)
	if info.Config.DeliverPolicy == jetstream.DeliverByStartSequencePolicy {
		r.lanes[i].life = time.Time{} // it goes on where another ended
	}
	have := info.Config.FilterSubjects
	if one := info.Config.FilterSubject; one != "" {
		have = []string{one}
	}
	if have, want := sorted(have), sorted(l.Subjects); have != want {
		r.note("account %s: durable %s listens to %q, the configuration to %q; what it does not listen to is never answered",
			l.AppID, l.Durable, have, want)
	}
	return nil
}

func sorted(subjects []string) string {
	return strings.Join(slices.Sorted(slices.Values(subjects)), ",")
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// doubt is a note for the case that events lack an answer.
func (r *run) doubt(format string, args ...any) {
	r.doubts = append(r.doubts, fmt.Sprintf(format, args...))
}
