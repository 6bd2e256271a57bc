package pipeline

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

const (
	// jobEvery is how often whoever does a job says how far it is, and so that
	// it is still there.
	jobEvery = 2 * time.Second
	// jobBeat is the same while there is nothing new.
	jobBeat = 5 * time.Second
	// jobSilence is how long a job may stand still, as seen by one clock, until
	// its replica is taken for dead and another goes on.
	jobSilence = 15 * time.Second
	// jobRetry is the wait after a job could not be begun or written down.
	jobRetry = 5 * time.Second
	// dryRunLasts is after how long nobody waits for a dry run any more: longer than
	// the command does.
	dryRunLasts = 2 * time.Minute
)

// doJobs does the account's jobs, one at a time, the oldest first, until ctx
// ends. It is one replica among others, each of which does at most one. While
// there is nothing to do it sleeps. Dry runs are done beside the others: they
// spend next to nothing, and a job may wait for days for its quota.
func (l *Lane) doJobs(ctx context.Context, dry bool) {
	woken, stop := l.board.WatchJobs(l.cfg.AppID)
	defer stop()
	seen := make(map[string]sighting)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if dry {
			l.dropDryRuns(ctx, time.Now())
		}
		j, wait := l.nextJob(time.Now(), seen, dry)
		if j != nil {
			wait = jobRetry
			if l.doJob(ctx, j) {
				wait = 0
			}
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-woken:
		}
	}
}

// dropDryRuns cancels those that nobody waits for: whoever asked was killed, and no
// replica was there.
func (l *Lane) dropDryRuns(ctx context.Context, now time.Time) {
	for _, j := range l.board.Jobs(l.cfg.AppID) {
		written := l.board.get(jobKey(j.AppID, j.ID)).written
		if !j.Spec.DryRun || !j.Waiting() || j.Lane != l.cfg.Durable || l.clock.at(now).Sub(written) < dryRunLasts {
			continue
		}
		if _, err := l.board.ChangeJob(ctx, j.AppID, j.ID, func(j *job.Job) error { return j.Cancel(now) }); err == nil {
			l.log.Info("a dry run that nobody waits for is cancelled", slog.String("job", j.ID))
		}
	}
}

// sighting is when a job was seen first as it is.
type sighting struct {
	rev uint64
	at  time.Time
}

// nextJob is the job to do now, a dry run or one that is none, or nil and how
// long to wait if nothing happens. Somebody else's is free when it has not
// changed for a while: no two clocks have to agree on that.
func (l *Lane) nextJob(now time.Time, seen map[string]sighting, dry bool) (*job.Job, time.Duration) {
	wait := time.Hour
	var next *job.Job
	for _, j := range l.board.Jobs(l.cfg.AppID) {
		if !j.Waiting() || j.Lane != l.cfg.Durable || j.Spec.DryRun != dry {
			delete(seen, j.ID)
			continue
		}
		if j.Holder != "" && j.Holder != l.board.replica {
			rev := l.board.get(jobKey(j.AppID, j.ID)).rev
			s := seen[j.ID]
			if s.rev != rev {
				s = sighting{rev, now}
				seen[j.ID] = s
			}
			if left := s.at.Add(jobSilence).Sub(now); left > 0 {
				wait = min(wait, left)
				continue
			}
		}
		if next == nil {
			next = &j
		}
	}
	return next, wait
}

// doJob does a job as far as it can be done now. It reports false if that was
// not even to be begun.
func (l *Lane) doJob(ctx context.Context, j *job.Job) (begun bool) {
	log := l.log.With(slog.String("job", j.ID))
	claimed, err := l.board.ChangeJob(ctx, j.AppID, j.ID, func(now *job.Job) error {
		if now.Holder != j.Holder {
			return job.ErrLost // somebody was quicker
		}
		return now.Claim(l.board.replica, time.Now())
	})
	if err != nil {
		log.Debug("the job is not to be had", slog.Any("error", err))
		return false
	}
	if claimed.Progress.Done > 0 {
		log.Info("going on with the job", slog.Int64("done", claimed.Progress.Done), slog.Int64("total", claimed.Progress.Total))
	} else {
		log.Info("beginning the job", slog.Int64("total", claimed.Progress.Total))
	}
	over, err := l.perform(ctx, &claimed)
	if err != nil {
		log.Warn("the job has failed", slog.Any("error", err))
	}
	last, saved := l.board.ChangeJob(context.WithoutCancel(ctx), j.AppID, j.ID, func(now *job.Job) error {
		if _, err := now.Report(l.board.replica, claimed.Progress, ""); err != nil {
			return err
		}
		if over || err != nil {
			_ = now.Finish(l.board.replica, time.Now(), err) // it is ours, or Report had said so
		}
		now.Release(l.board.replica)
		return nil
	})
	if saved != nil {
		log.Warn("how the job stands could not be written down", slog.Any("error", saved))
		return false
	}
	log.Info("the job is "+string(last.State), slog.Int64("done", last.Progress.Done), slog.Int64("total", last.Progress.Total))
	if last.Over() {
		ForgetJob(context.WithoutCancel(ctx), l.js, l.board, &last)
	}
	return err == nil
}

// ForgetJob removes what a job that is over leaves behind besides its answers
// and itself.
func ForgetJob(ctx context.Context, js jetstream.JetStream, b *Board, j *job.Job) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	_ = js.DeleteConsumer(ctx, j.Range.Stream, j.ID) // the server does so in the end
	key := markKey(j.AppID, j.ID)
	if n := b.get(key); n.value != nil {
		_ = b.remove(ctx, key, n.rev)
	}
}
