// Package job is bulk work as it is written down: a replay, a backfill, a
// redrive. A command writes a job, the running replicas do it, one of them at
// a time, and whoever looks sees how far it is.
//
//	        ┌────────── resume ───────────┐
//	        ▼                             │
//	pending ──► running ──► done        paused, failed
//	   ▲  claim    │  │ finish            ▲
//	   └── release ┘  └── pause, fail ────┘        cancel ──► cancelled
//
// A job is a value and says how it may change; where it is kept, and that two
// who change it do not undo each other's work, is the business of whoever
// stores it. All is pure: time is an argument.
package job

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// Kind is what a job does.
type Kind string

// The kinds.
const (
	Replay   Kind = "replay"   // answers a range of the input again, as a generation of its own
	Backfill Kind = "backfill" // makes an event of every follower
	Redrive  Kind = "redrive"  // answers dead letters again
)

// State is where a job stands.
type State string

// The states.
const (
	Pending   State = "pending" // waits for a replica
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done"
	Cancelled State = "cancelled"
	Failed    State = "failed" // a person has to decide: see Job.Note
)

// A Job is bulk work of one account. It is stored as JSON.
type Job struct {
	ID    string `json:"id"` // also the replay id of its answers
	AppID string `json:"appid"`
	Kind  Kind   `json:"kind"`
	Lane  string `json:"lane"` // the durable of the live lane beside which it runs: others leave it alone

	Spec     Spec     `json:"spec"`
	Range    Range    `json:"range"`
	Progress Progress `json:"progress"`
	Crawl    *Crawl   `json:"crawl,omitempty"` // of a backfill

	// Behind is where the streams of answers ended when the job was begun, by their
	// names: its answers have higher sequences. TakenOver is how often it was taken
	// over from a replica that had died, or had fallen silent.
	Behind    map[string]uint64 `json:"behind,omitempty"`
	TakenOver int               `json:"taken_over,omitempty"`

	State   State     `json:"state"`
	Note    string    `json:"note,omitempty"`   // why it waits, or has failed
	Holder  string    `json:"holder,omitempty"` // the replica that does it
	By      string    `json:"by"`               // who asked for it
	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"` // when a replica began it first: nobody has answered before
	Ended   time.Time `json:"ended,omitzero"`   // when it was done, cancelled or failed
}

// Range is what a job reads: messages of a stream, first and last included. It
// is fixed when the job is written, so a job ends.
type Range struct {
	Stream   string    `json:"stream"`
	Born     time.Time `json:"born"` // when the stream was created: another one's sequences mean nothing
	Subjects []string  `json:"subjects,omitempty"`
	From     uint64    `json:"from"`
	To       uint64    `json:"to"`
}

// Spec is what was asked for. Two jobs with equal specs do the same.
type Spec struct {
	Asked   string        `json:"asked,omitempty"`   // the range as it was asked for
	Types   []string      `json:"types,omitempty"`   // only events of these types
	OpenIDs []string      `json:"openids,omitempty"` // only events about these people
	IDs     []string      `json:"ids,omitempty"`     // only events with these ids
	Output  string        `json:"output,omitempty"`  // subject of the records, instead of the service's
	Format  string        `json:"format,omitempty"`  // of the records, instead of the service's
	MaxAge  time.Duration `json:"max_age,omitempty"` // an answer of the service's that is no older serves as well
	Rate    float64       `json:"rate,omitempty"`    // events a second at most; 0: as many as there is room for
	Letters *Letters      `json:"letters,omitempty"` // of a redrive: the range is of dead letters
	Records bool          `json:"records,omitempty"` // the range is of records, which are encoded anew without any call

	Missing    bool   `json:"missing,omitempty"`     // a backfill: only of people of whom the output holds no record
	SinceCrawl string `json:"since_crawl,omitempty"` // a backfill: only of those who came or left since that one
	DryRun     bool   `json:"dry_run,omitempty"`     // a backfill: only ask how many followers there are
}

// Letters is which dead letters a redrive answers.
type Letters struct {
	dead.Selection
	MaxHops int       `json:"max_hops"` // of those that were redriven so often already, none
	Oldest  time.Time `json:"oldest"`   // when the first of them was stored: no redrive has answered before
}

// Crawl is what a backfill does before its range is there: it lists the
// account's followers, and makes an event of each.
type Crawl struct {
	Followers int64  `json:"followers"`        // as WeChat counted them last
	Listed    int64  `json:"listed"`           // openids that are written down
	Calls     int64  `json:"calls"`            // of user/get, which has a quota of its own
	Whole     bool   `json:"whole,omitempty"`  // the list is
	After     uint64 `json:"after,omitempty"`  // the first sequence of the input that one of the job's events may have
	Joined    int64  `json:"joined,omitempty"` // since the crawl that it is compared with
	Left      int64  `json:"left,omitempty"`   //
}

// Equal reports whether two specs ask for the same.
func (s Spec) Equal(o Spec) bool {
	same := func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	return s.Asked == o.Asked && same(s.Types, o.Types) && same(s.OpenIDs, o.OpenIDs) && same(s.IDs, o.IDs) &&
		reflect.DeepEqual(s.Letters, o.Letters) && s.Output == o.Output && s.Format == o.Format && s.MaxAge == o.MaxAge && s.Rate == o.Rate && s.Records == o.Records &&
		s.Missing == o.Missing && s.SinceCrawl == o.SinceCrawl && s.DryRun == o.DryRun
}

// Progress is how far a job is. A replica that dies takes what it has counted in
// its last seconds with it. Whoever goes on counts what the streams hold, and
// once more at the end: then all but Calls is exact, unless the streams forget,
// as Uncounted says.
type Progress struct {
	Total   int64         `json:"total"`             // messages in the range
	Done    int64         `json:"done"`              // of those, behind us
	Records int64         `json:"records"`           // stored
	Dead    int64         `json:"dead,omitempty"`    // dead letters stored
	Skipped int64         `json:"skipped,omitempty"` // that the job leaves out
	Repeats int64         `json:"repeats,omitempty"` // delivered again, and answered before
	Calls   int64         `json:"calls,omitempty"`   // API calls
	Active  time.Duration `json:"active"`            // that somebody has worked at it
}

// Uncounted is how many messages are behind us of which nobody says what became
// of them: they were gone before they were read, or the counts of whoever answered
// them died with it. The other counts are then the least that there can be.
func (p Progress) Uncounted() int64 { return max(0, p.Done-p.Records-p.Dead-p.Skipped-p.Repeats) }

// Plus is p with what came since.
func (p Progress) Plus(o Progress) Progress {
	p.Done = min(p.Done+o.Done, p.Total)
	p.Records += o.Records
	p.Dead += o.Dead
	p.Skipped += o.Skipped
	p.Repeats += o.Repeats
	p.Calls += o.Calls
	p.Active += o.Active
	return p
}

// Over reports whether nothing will come of the job any more. Nobody goes on with
// a dry run that has failed.
func (j *Job) Over() bool {
	return j.State == Done || j.State == Cancelled || j.State == Failed && j.Spec.DryRun
}

// Waiting reports whether a replica may begin or go on with the job once nobody
// else holds it.
func (j *Job) Waiting() bool { return j.State == Pending || j.State == Running }

// Errors of a change that a job's state does not admit.
var (
	ErrOver = errors.New("the job is over")
	ErrLost = errors.New("another replica does the job")
)

// Claim gives the job to a replica.
func (j *Job) Claim(replica string, now time.Time) error {
	if !j.Waiting() {
		return fmt.Errorf("job %s is %s", j.ID, j.State)
	}
	if j.Holder != "" {
		j.TakenOver++
	}
	j.State, j.Holder, j.Note = Running, replica, ""
	if j.Started.IsZero() {
		j.Started = now
	}
	return nil
}

// Report notes how far a replica is with the job, and why it waits, if it does.
// It reports whether it is to go on. If not, it has let go of the job.
func (j *Job) Report(replica string, p Progress, note string) (goOn bool, err error) {
	if j.Holder != replica {
		return false, ErrLost
	}
	j.Progress = p
	if j.State != Running {
		j.Holder = ""
		return false, nil
	}
	j.Note = note
	return true, nil
}

// Release lets another replica go on.
func (j *Job) Release(replica string) {
	if j.Holder != replica {
		return
	}
	if j.Holder = ""; j.State == Running {
		j.State, j.Note = Pending, ""
	}
}

// Finish ends a job that is done, or that failed for a reason.
func (j *Job) Finish(replica string, now time.Time, failed error) error {
	if j.Holder != replica {
		return ErrLost
	}
	if j.Holder = ""; j.State != Running {
		return nil
	}
	j.State, j.Note, j.Ended = Done, "", now
	if failed != nil {
		j.State, j.Note = Failed, failed.Error()
		return nil
	}
	j.Progress.Done = j.Progress.Total
	return nil
}

// Pause stops the job until Resume. The replica that does it lets go of it.
func (j *Job) Pause() error {
	if j.Over() || j.State == Failed {
		return fmt.Errorf("job %s is %s: %w", j.ID, j.State, ErrOver)
	}
	j.State, j.Note = Paused, ""
	return nil
}

// Resume lets a job go on that was paused or has failed.
func (j *Job) Resume() error {
	if j.Over() {
		return fmt.Errorf("job %s is %s: %w", j.ID, j.State, ErrOver)
	}
	if !j.Waiting() {
		j.State, j.Note, j.Ended = Pending, "", time.Time{}
	}
	return nil
}

// Cancel ends the job. What it has done stays.
func (j *Job) Cancel(now time.Time) error {
	if j.Over() {
		return fmt.Errorf("job %s is %s: %w", j.ID, j.State, ErrOver)
	}
	j.State, j.Note, j.Ended = Cancelled, "", now
	return nil
}
