package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// totals are what a job has done. A replica counts as it goes, and one that dies
// takes its last seconds' counts with it. The streams know better: whoever takes
// a job over counts the answers that they hold, and once more at the end, as
// some of those were then given again, and dropped by their ids.
type totals struct {
	lane  *Lane // of the job
	began time.Time

	mu     sync.Mutex
	job    job.Job      // as it was begun
	before job.Progress // what was done before
	whole  bool         // before is all that was done
	note   string       // what is going on, when nothing is answered
}

func newTotals(bulk *Lane, j *job.Job) *totals {
	return &totals{lane: bulk, began: time.Now(), job: *j, before: j.Progress}
}

// run answers the range.
func (t *totals) run(ctx context.Context) error {
	t.mark(ctx)
	t.recount(ctx, false)
	if err := t.lane.Run(ctx); err != nil || !t.lane.isOver() {
		return err
	}
	t.recount(ctx, true)
	return nil
}

// progress is how far the job is, and why it waits.
func (t *totals) progress() (job.Progress, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.before
	if t.whole {
		p.Active += time.Since(t.began).Round(time.Millisecond)
	} else {
		p = p.Plus(t.lane.done(t.began))
	}
	if t.note != "" {
		return p, t.note
	}
	return p, t.lane.waitsFor()
}

// over reports whether all of the range is answered, and counted.
func (t *totals) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lane.isOver() && (t.whole || t.job.TakenOver == 0)
}

// mark writes down where the streams of answers end, before the first of the
// job's is there.
func (t *totals) mark(ctx context.Context) {
	if t.job.Behind != nil || t.job.Progress.Done > 0 {
		return // the latter has begun before there were marks
	}
	where, err := t.lane.findPlaces(ctx)
	behind := make(map[string]uint64)
	for i := 0; err == nil && i < len(where.places); i++ {
		var s jetstream.Stream
		if s, err = t.lane.js.Stream(ctx, where.places[i].stream); err == nil {
			behind[where.places[i].stream] = s.CachedInfo().State.LastSeq
		}
	}
	if err == nil {
		_, err = t.lane.board.ChangeJob(ctx, t.job.AppID, t.job.ID, func(j *job.Job) error {
			if j.Holder != t.lane.board.replica {
				return job.ErrLost
			}
			j.Behind = behind
			return nil
		})
	}
	if err != nil {
		t.lane.log.Debug("nobody will be able to count the job's answers", slog.Any("error", err))
		return
	}
	t.job.Behind = behind
}

// recount counts the answers of a job that was taken over, from the streams; at
// the end for good.
func (t *totals) recount(ctx context.Context, end bool) {
	if t.job.TakenOver == 0 {
		return
	}
	t.say("counting its answers")
	defer t.say("")
	p := t.before
	if end {
		p, _ = t.progress()
		p.Active = t.before.Active
	}
	found, err := t.lane.answersOfJob(ctx, &t.job)
	if err == nil {
		p, err = t.lane.with(ctx, &t.job, p, found, end)
	}
	if ctx.Err() != nil {
		return // whoever goes on does it
	}
	if err != nil {
		t.lane.log.Warn("the job's answers could not be counted: its totals may be too low", slog.Any("error", err))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before, t.whole = p, end
}

func (t *totals) say(note string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note = note
}
