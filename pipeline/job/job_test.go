package job_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestLife(t *testing.T) {
	j := job.Job{ID: "r1", State: job.Pending, Progress: job.Progress{Total: 10}}
	if err := j.Claim("a", noon); err != nil {
		t.Fatal(err)
	}
	if goOn, err := j.Report("a", job.Progress{Total: 10, Done: 4}, "waits"); !goOn || err != nil {
		t.Fatalf("report: %v, %v", goOn, err)
	}
	if err := j.Claim("b", noon.Add(time.Minute)); err != nil { // a has fallen silent
		t.Fatal(err)
	}
	if _, err := j.Report("a", job.Progress{}, ""); !errors.Is(err, job.ErrLost) {
		t.Errorf("a reports after it has lost the job: %v", err)
	}
	j.Release("a")
	if err := j.Finish("a", noon, nil); !errors.Is(err, job.ErrLost) {
		t.Errorf("a finishes after it has lost the job: %v", err)
	}
	if err := j.Finish("b", noon, nil); err != nil {
		t.Fatal(err)
	}
	want := job.Job{ID: "r1", State: job.Done, TakenOver: 1, Started: noon, Ended: noon, Progress: job.Progress{Total: 10, Done: 10}}
	if diff := cmp.Diff(want, j); diff != "" {
		t.Error(diff)
	}
	for name, err := range map[string]error{"pause": j.Pause(), "resume": j.Resume(), "cancel": j.Cancel(noon)} {
		if !errors.Is(err, job.ErrOver) {
			t.Errorf("%s of a job that is done: %v", name, err)
		}
	}
}

func TestStops(t *testing.T) {
	for name, c := range map[string]struct {
		stop func(*job.Job) error
		then job.State // after a resume
		over bool
	}{
		"paused":    {(*job.Job).Pause, job.Pending, false},
		"cancelled": {func(j *job.Job) error { return j.Cancel(noon) }, "", true},
	} {
		j := job.Job{State: job.Running, Holder: "a"}
		if err := c.stop(&j); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := j.Claim("b", noon.Add(time.Minute)); err == nil {
			t.Errorf("%s: it can be claimed", name)
		}
		if goOn, err := j.Report("a", job.Progress{Done: 3}, ""); goOn || err != nil || j.Holder != "" || j.Progress.Done != 3 {
			t.Errorf("%s: report: %v, %v, %+v", name, goOn, err, j)
		}
		err := j.Resume()
		if (err != nil) != c.over || !c.over && j.State != c.then {
			t.Errorf("%s: resume: %v, %+v", name, err, j)
		}
	}
}

func TestFailedMayGoOn(t *testing.T) {
	j := job.Job{State: job.Running, Holder: "a"}
	if err := j.Finish("a", noon, errors.New("the stream is gone")); err != nil || j.State != job.Failed || j.Note != "the stream is gone" {
		t.Fatalf("finish: %v, %+v", err, j)
	}
	if err := j.Resume(); err != nil || j.State != job.Pending || j.Note != "" || !j.Ended.IsZero() {
		t.Errorf("resume: %v, %+v", err, j)
	}
	j.State, j.Holder = job.Running, "a"
	if j.Release("a"); j.State != job.Pending || j.Holder != "" {
		t.Errorf("release: %+v", j)
	}
}

func TestSameSpec(t *testing.T) {
	a := job.Spec{Asked: "since 2d", Types: []string{"subscribe", "SCAN"}}
	b := job.Spec{Asked: "since 2d", Types: []string{"SCAN", "subscribe"}}
	if !a.Equal(b) {
		t.Error("the order of types matters")
	}
	if b.Rate = 1; a.Equal(b) {
		t.Error("the rate does not matter")
	}
}
