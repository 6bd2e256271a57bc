package main

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// boardToLookAt is the state bucket for a command that can do without; nil where
// there is none.
func (a *app) boardToLookAt(ctx context.Context, js jetstream.JetStream, cfg *config.Config) (*pipeline.Board, error) {
	if cfg.State.Bucket == "" {
		return nil, nil
	}
	log, err := a.logger(cfg)
	if err != nil {
		return nil, err
	}
	board, err := openBoard(ctx, js, cfg, log)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	return board, err
}

// addBackfills adds the events of the accounts' backfills, which jobs answer:
// when a job is done, every event of its has an answer. The jobs are read
// before the streams, so that what is done has its answers there.
func addBackfills(board *pipeline.Board, s *audit.Scope) {
	for _, live := range s.Lanes {
		if l, ok := backfillLane(board, live); ok {
			s.Lanes = append(s.Lanes, l)
		}
	}
}

// backfillLane is the events of an account's backfills; false if it has none.
// An event of a job that is not done is pending, also if the job was cancelled
// or is forgotten: nobody has promised an answer.
func backfillLane(board *pipeline.Board, live audit.Lane) (audit.Lane, bool) {
	done, subjects := map[string]bool{}, []string(nil)
	for _, j := range board.Jobs(live.AppID) {
		if j.Kind != job.Backfill || j.Spec.DryRun || j.Range.Stream != "" && j.Range.Stream != live.Stream {
			continue
		}
		done[j.ID] = j.State == job.Done
		for _, subject := range j.Range.Subjects {
			subjects = add(subjects, subject)
		}
	}
	l := live
	l.Part, l.Subjects, l.Durable = "backfill", subjects, ""
	l.Waiting = func(id string) bool {
		made := strings.LastIndexByte(id, '-') // <job>-<number>, or <job>-left-<number>
		return made < 0 || !done[strings.TrimSuffix(id[:made], "-left")]
	}
	return l, len(subjects) > 0
}
