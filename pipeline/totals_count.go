package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// jobAnswers is what the streams hold of a job's answers.
type jobAnswers struct {
	records, dead int64
	all           bool // none can have left the streams
}

// answersOfJob counts them: each event once, as a dead letter if one of its
// answers is, as when its record is too large for one of several outputs.
func (l *Lane) answersOfJob(ctx context.Context, j *job.Job) (found jobAnswers, err error) {
	if j.Behind == nil {
		return found, nil
	}
	where, err := l.findPlaces(ctx)
	if err != nil {
		return found, err
	}
	found.all = true
	died := make(map[uint64]struct{})
	for _, p := range []place{where.places[len(where.places)-1], where.places[0]} {
		stream, err := l.js.Stream(ctx, p.stream)
		if err != nil {
			return found, fmt.Errorf("stream %s: %w", p.stream, err)
		}
		behind, marked := j.Behind[p.stream]
		found.all = found.all && marked && keepsAllBehind(stream.CachedInfo(), behind)
		span := scan.Span{Stream: p.stream, Subjects: []string{p.subject}, From: behind + 1, End: stream.CachedInfo().State.LastSeq}
		err = scan.Read(ctx, l.js, span, func(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
			src, replay, letter, err := events.ParseMsgID(m.Headers().Get(events.HeaderMsgID))
			if err != nil || !answersJob(j, m.Headers(), replay) {
				return true
			}
			event := sourceHash(&src, replay, 0)
			if letter {
				died[event] = struct{}{}
			} else if _, also := died[event]; !also {
				found.records++
			}
			return true
		})
		if err != nil {
			return found, err
		}
	}
	found.dead = int64(len(died))
	return found, nil
}

// keepsAllBehind reports whether a stream still holds all that was stored behind
// a sequence, but for what somebody has removed by hand.
func keepsAllBehind(info *jetstream.StreamInfo, behind uint64) bool {
	c, s := &info.Config, &info.State
	return c.Retention == jetstream.LimitsPolicy && c.MaxMsgsPerSubject <= 0 && s.FirstSeq <= behind+1 && s.LastSeq >= behind
}

// answersJob reports whether an answer that was stored since a job was begun is
// one of its. There is one redrive of an account at a time.
func answersJob(j *job.Job, h nats.Header, replay string) bool {
	switch j.Kind {
	case job.Redrive:
		return h.Get(events.HeaderHop) != "" && h.Get(events.HeaderAppID) == j.AppID
	case job.Backfill:
		id := h.Get(events.HeaderEventID) + h.Get(events.HeaderDeadEventID) // it has one of them
		return h.Get(events.HeaderHop) == "" && strings.HasPrefix(id, j.ID+"-")
	}
	return replay == j.ID
}

// with is a job's progress with what the streams hold of its answers; at the end
// what has no answer was left out, or is gone.
func (l *Lane) with(ctx context.Context, j *job.Job, p job.Progress, found jobAnswers, end bool) (job.Progress, error) {
	if !found.all { // what was counted may be more
		p.Records, p.Dead = max(p.Records, found.records), max(p.Dead, found.dead)
		return p, nil
	}
	p.Records, p.Dead = found.records, found.dead
	answered := p.Records + p.Dead
	if j.Kind != job.Redrive {
		p.Repeats = 0 // by the job itself
	}
	p.Done = min(max(p.Done, answered+p.Skipped), p.Total)
	if !end {
		return p, nil
	}
	left, err := CountRange(ctx, l.js, j.Range)
	if err != nil {
		return p, err
	}
	there, rest := int64(left), max(0, p.Total-answered)
	gone := max(0, p.Total-there)
	switch {
	case j.Kind != job.Redrive:
		p.Skipped = min(max(p.Skipped, rest-gone), rest)
	case l.erased.Some(): // letters may have been erased meanwhile
		p.Skipped = min(max(p.Skipped, there), rest)
		p.Repeats = rest - p.Skipped
	default: // those that were left out are there
		p.Skipped = min(there, rest)
		p.Repeats = rest - p.Skipped
	}
	return p, nil
}

// settleDone mends a job's count of what is behind it: whoever did it before may
// have died. An error means that the job cannot be done.
func (l *Lane) settleDone(ctx context.Context, j *job.Job) error {
	stream, err := l.js.Stream(ctx, j.Range.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s is gone", j.Range.Stream)
	}
	if err != nil {
		return nil // the lane waits for it
	}
	if !stream.CachedInfo().Created.Equal(j.Range.Born) {
		return fmt.Errorf("stream %s is another one than when the job was written: its sequences mean nothing now", j.Range.Stream)
	}
	c, err := l.js.Consumer(ctx, j.Range.Stream, j.ID)
	if err != nil {
		return nil // it is new
	}
	info := c.CachedInfo()
	r := j.Range
	r.From = max(r.From, info.AckFloor.Stream+1)
	left, err := CountRange(ctx, l.js, r)
	if err == nil {
		j.Progress.Done = max(0, j.Progress.Total-int64(left))
	}
	return nil
}
