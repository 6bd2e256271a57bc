package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// BackfillType is the type of the events that a backfill makes, and the last
// token of their subject: no live lane listens to it unless it is told to.
const BackfillType = "backfill"

// A backfill is the part of such a job before its events are there: the list
// of followers is written down page by page, then an event is made of each.
// All of it can be cut off at any point and gone on with: what is stored says
// how far it is.
type backfill struct {
	*Lane // of the job, for its calls
	j     *job.Job
	list  jetstream.Stream

	mu   sync.Mutex
	now  job.Crawl
	done job.Progress
	note string
}

// prepare does that part, and gives the job its range. It reports whether there
// is nothing to do behind it.
func (l *Lane) prepare(ctx context.Context, j *job.Job) (over bool, err error) {
	if j.Crawl == nil {
		j.Crawl = new(job.Crawl)
	}
	lane, err := l.besides(j, l.cfg)
	if err != nil {
		return false, err
	}
	b := &backfill{Lane: lane, j: j, now: *j.Crawl}
	before := j.Progress
	began := time.Now()
	err = l.supervise(ctx, j, func(ctx context.Context) error { return b.run(ctx) }, func() (job.Progress, string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		p := b.done
		p.Active = before.Active + time.Since(began)
		return p, b.note
	})
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	last, err := l.board.Job(j.ID)
	if err != nil || last.Holder != l.board.replica || last.State != job.Running {
		return false, nil // doJob finds out what has become of it
	}
	*j = last
	return j.Spec.DryRun || j.Range.To == 0, nil
}

// run lists the followers and publishes the events.
func (b *backfill) run(ctx context.Context) error {
	if b.j.Spec.DryRun {
		page, err := b.page(ctx, "")
		if err != nil {
			return err
		}
		b.now.Followers, b.now.Calls = page.Total, b.now.Calls+1
		return b.save(ctx, nil)
	}
	var err error
	if b.list, err = b.cfg.Crawls.ensure(ctx, b.js, b.cfg.Manage); err != nil {
		return err
	}
	if !b.now.Whole {
		if err := b.crawl(ctx); err != nil {
			return err
		}
	}
	b.say("making events of the followers")
	return b.publish(ctx)
}

// say tells what is being done.
func (b *backfill) say(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = note
}

// behind tells how much of it is behind us.
func (b *backfill) behind(done, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done.Done, b.done.Total = min(done, total), total
}

// save writes down how far the crawl is, if the job is still ours.
func (b *backfill) save(ctx context.Context, more func(*job.Job)) error {
	now := b.now
	_, err := b.board.ChangeJob(ctx, b.j.AppID, b.j.ID, func(j *job.Job) error {
		if j.Holder != b.board.replica {
			return job.ErrLost
		}
		j.Crawl = &now
		if more != nil {
			more(j)
		}
		return nil
	})
	return err
}

// supervise runs work for a job and writes down how far it is, until work ends
// by itself, ctx ends, or somebody says stop or has taken the job. It keeps j's
// progress.
func (l *Lane) supervise(ctx context.Context, j *job.Job, work func(context.Context) error, progress func() (job.Progress, string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	woken, stop := l.board.WatchJobs(j.AppID)
	defer stop()
	tick := time.NewTicker(jobEvery)
	defer tick.Stop()
	var said job.Progress
	var saidNote string
	var saidAt time.Time
	for {
		select {
		case err := <-ended:
			j.Progress, _ = progress()
			if ctx.Err() != nil || errors.Is(err, job.ErrLost) {
				return nil // it was told to stop
			}
			return err
		case <-tick.C:
			p, note := progress()
			j.Progress = p
			p.Active = 0
			if p == said && note == saidNote && time.Since(saidAt) < jobBeat {
				continue
			}
			said, saidNote, saidAt = p, note, time.Now()
			now, err := l.board.ChangeJob(ctx, j.AppID, j.ID, func(now *job.Job) error {
				_, err := now.Report(l.board.replica, j.Progress, note)
				return err
			})
			if errors.Is(err, job.ErrLost) || errors.Is(err, ErrNoJob) || err == nil && now.State != job.Running {
				cancel()
			}
		case <-woken:
			if now, err := l.board.Job(j.ID); err == nil && (now.State != job.Running || now.Holder != l.board.replica) {
				cancel()
			}
		}
	}
}

// perform does a job until it is over, ctx ends, or somebody else says stop or
// has taken the job. It keeps j's progress.
func (l *Lane) perform(ctx context.Context, j *job.Job) (over bool, err error) {
	if !j.Spec.DryRun {
		l.bulk.begin(j.Kind)
		defer l.bulk.end()
	}
	if j.Kind == job.Backfill && j.Range.To == 0 {
		over, err := l.prepare(ctx, j)
		if over || err != nil || ctx.Err() != nil || j.Range.To == 0 {
			return over, err
		}
		l.log.Info("the backfill's events are there", slog.String("job", j.ID), slog.Int64("events", j.Progress.Total))
	}
	if err := l.settleDone(ctx, j); err != nil {
		return false, err
	}
	bulk, err := l.bulkLane(j)
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	if err := bulk.checkOutput(ctx, j); err != nil {
		return false, err
	}
	count := newTotals(bulk, j)
	l.bulk.by(bulk, count.began)
	err = l.supervise(ctx, j, count.run, count.progress)
	return count.over(), err
}
