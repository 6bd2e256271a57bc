package pipeline

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// kindJob is bulk work of an account: a job.Job, with its id behind the appid.
const kindJob = "job"

func jobKey(appid, id string) string { return kindJob + "." + appid + "." + token(id) }

// ErrJobThere is the error for a job whose id another has.
var ErrJobThere = errors.New("somebody else was quicker")

// ErrNoJob is the error for a job that is not on the board.
var ErrNoJob = errors.New("there is no such job")

// keepJobs is how long a job that is over stays on the board.
const keepJobs = 30 * 24 * time.Hour

// NewJobID names a job, so that it can name a replay too.
func NewJobID(kind job.Kind, now time.Time) string {
	return jobID(kind, now, rand.Text()[:5])
}

// NextJobID names a job of which an account does one after the other: two that begin
// in the same moment, with the same behind them, get the same name, which only one
// of them can have.
func NextJobID(kind job.Kind, appid string, now time.Time, behind []job.Job) string {
	h := sha256.New()
	fmt.Fprintln(h, appid)
	for _, j := range behind {
		if j.Kind == kind {
			fmt.Fprintln(h, j.ID)
		}
	}
	return jobID(kind, now, base32.StdEncoding.EncodeToString(h.Sum(nil))[:8])
}

func jobID(kind job.Kind, now time.Time, own string) string {
	return string(kind) + "-" + now.UTC().Format("060102") + "-" + strings.ToLower(own)
}

func readJob(n note) (j job.Job, ok bool) {
	return j, n.value != nil && json.Unmarshal(n.value, &j) == nil && j.ID != ""
}

// Jobs lists the jobs of an account, the oldest first; of all accounts if appid
// is empty.
func (b *Board) Jobs(appid string) []job.Job {
	if b == nil {
		return nil
	}
	prefix := kindJob + "."
	if appid != "" {
		prefix += appid + "."
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var jobs []job.Job
	for key := range b.jobs {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if j, ok := readJob(b.notes[key]); ok {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(x, y job.Job) int {
		if c := x.Created.Compare(y.Created); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return jobs
}

// Job is a job by its id, which is unique among all accounts.
func (b *Board) Job(id string) (job.Job, error) {
	for _, j := range b.Jobs("") {
		if j.ID == id {
			return j, nil
		}
	}
	return job.Job{}, ErrNoJob
}

// AddJob writes a job down for the replicas, and forgets old ones that are over.
func (b *Board) AddJob(ctx context.Context, j job.Job) error {
	value, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if _, err = b.put(ctx, jobKey(j.AppID, j.ID), value, 0); err == errOutrun {
		return fmt.Errorf("write job %s: %w", j.ID, ErrJobThere)
	} else if err != nil {
		return fmt.Errorf("write job %s: %w", j.ID, err)
	}
	for _, old := range b.Jobs(j.AppID) {
		if old.Over() && old.Holder == "" && time.Since(old.Ended) > keepJobs {
			key := jobKey(old.AppID, old.ID)
			_ = b.remove(ctx, key, b.get(key).rev) // the next one tries again
		}
	}
	return nil
}

// ChangeJob changes a job as it is when it is stored: change may be called more
// than once. The job is returned as it then is, also with an error of change,
// which is returned as it is.
func (b *Board) ChangeJob(ctx context.Context, appid, id string, change func(*job.Job) error) (job.Job, error) {
	key := jobKey(appid, id)
	n := b.get(key)
	for {
		j, ok := readJob(n)
		if !ok {
			return j, ErrNoJob
		}
		if err := change(&j); err != nil {
			return j, err
		}
		value, err := json.Marshal(j)
		if err != nil {
			return j, err
		}
		_, err = b.put(ctx, key, value, n.rev)
		if err == nil {
			return j, nil
		}
		if err == errOutrun {
			n, err = b.fetch(ctx, key)
		}
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return j, ErrNoJob
		}
		if err != nil {
			return j, fmt.Errorf("write job %s: %w", id, err)
		}
	}
}

// WatchJobs returns a channel that has something whenever jobs of an account
// may have changed, until stop is called.
func (b *Board) WatchJobs(appid string) (changed <-chan struct{}, stop func()) {
	changed = b.subscribe(appid)
	return changed, func() { b.unsubscribe(appid, changed) }
}
