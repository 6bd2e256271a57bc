package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// TestResumeOfWhatEndsMeanwhile: a job may end between the look at it and the word to
// go on. What was wished has come about then, where that of one that had ended before
// is a mistake.
func TestResumeOfWhatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kv, err := w.nats.JetStream().CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "WX_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	board, err := pipeline.OpenBoard(t.Context(), kv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	seen := job.Job{ID: "redrive-1", AppID: testAppID, Kind: job.Redrive, Lane: "live", State: job.Pending, Created: time.Now()}
	now := seen
	now.State, now.Ended = job.Done, time.Now()
	if err := board.AddJob(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{streams: streams{out: &out, err: &out}}
	o := &office{js: w.nats.JetStream(), board: board}
	if err := o.resume(t.Context(), a, seen, followFlags{}); err != nil || !strings.Contains(out.String(), "redrive-1 is done") {
		t.Errorf("%v: %s", err, &out)
	}
	if err := o.resume(t.Context(), a, now, followFlags{}); !errors.Is(err, job.ErrOver) {
		t.Errorf("over before: %v", err)
	}
}
