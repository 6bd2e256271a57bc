//go:build linux

package faults

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// command runs one of the program's commands to its end, with the settings of
// the world, and returns the last line that it has printed.
func (w *world) command(args ...string) []byte {
	w.t.Helper()
	environ := slices.Clone(w.environ)
	for k, v := range w.settings {
		environ = append(environ, "WXENRICH_"+k+"="+v)
	}
	p := start(w.t, "wxenrich-"+args[0], "wxenrich", environ, args...)
	if !p.ends(patience) {
		w.t.Fatalf("%q does not end", args)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Fatalf("%q ended with code %d:\n%s", args, code, p.tail(25))
	}
	return p.tail(1)
}

// asks is what a command prints as JSON.
func asks[T any](w *world, args ...string) (out T) {
	w.t.Helper()
	if text := w.command(append(args, "--json")...); json.Unmarshal(text, &out) != nil {
		w.t.Fatalf("%q prints %s", args, text)
	}
	return out
}

// begins has bulk work written down, and returns its id.
func (w *world) begins(args ...string) string {
	w.t.Helper()
	return asks[job.Job](w, append(args, "--detach")...).ID
}

// job is how one stands now.
func (w *world) job(id string) (j job.Job) {
	w.t.Helper()
	kv, err := w.js.KeyValue(w.t.Context(), "WX_STATE")
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := kv.Get(w.t.Context(), "job."+appID+"."+id)
	if err == nil {
		err = json.Unmarshal(e.Value(), &j)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// reaches waits until a job has come to a point, or is done. Bulk work may take
// its time.
func (w *world) reaches(id string, point func(job.Job) bool) job.Job {
	w.t.Helper()
	for deadline := time.Now().Add(patience + size(0, time.Hour)); ; time.Sleep(50 * time.Millisecond) {
		j := w.job(id)
		switch {
		case point != nil && point(j), j.State == job.Done:
			return j
		case j.State == job.Failed || time.Now().After(deadline):
			w.t.Fatalf("the job does not get there: %+v", j)
		}
	}
}

// comesTo waits until a job has come to a point, at which it is to be killed: it
// fails the test if there is nothing left to be killed.
func (w *world) comesTo(id string, point func(job.Job) bool) {
	w.t.Helper()
	if j := w.reaches(id, point); j.State == job.Done {
		w.t.Fatal("it was too quick to be killed")
	}
}

// behind is the point at which a share of a job's messages is answered.
func behind(share float64) func(job.Job) bool {
	return func(j job.Job) bool {
		return j.Range.To > 0 && float64(j.Progress.Done) >= share*float64(j.Progress.Total)
	}
}

// worker is which of the replicas does a job: the one that has begun it, or
// gone on with it, and lives.
func (w *world) worker(replicas []*process) int {
	w.t.Helper()
	at := -1
	w.eventually("somebody does the job", func() bool {
		at = slices.IndexFunc(replicas, func(p *process) bool {
			text := p.printed()
			return bytes.Contains(text, []byte(`"beginning the job"`)) || bytes.Contains(text, []byte(`"going on with the job"`))
		})
		return at >= 0
	})
	return at
}
