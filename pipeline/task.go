package pipeline

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/job"
)

// A task makes a lane one of bulk work: it answers a range of a stream and
// ends, beside its account's live lane and below it. A live lane has none; the
// methods of a nil task say what holds for it.
type task struct {
	gen      string                   // the replay id of its answers; empty: they keep the live identity
	since    time.Time                // nobody has answered for the job before
	began    time.Time                // when a replica began it first: whatever is asked for later serves it
	to       uint64                   // the last sequence of the range
	metadata map[string]string        // of its durable
	keep     func(*events.Event) bool // whether to answer an event; nil: all
	letters  *job.Letters             // which dead letters to answer, of a redrive; nil: the range is of events
	records  bool                     // the range is of records
	maxAge   time.Duration            // how old an answer of the live lane may be to serve as well
	shared   bool                     // others' events may lie in the range: they count for nothing
	rate     float64                  // events a second at most; 0: no limit

	opening atomic.Int64                     // look-ups whose first call is not in the budget yet
	morgue  atomic.Pointer[jetstream.Stream] // where the letters are; nil while nobody has asked
	starved atomic.Bool                      // its share of the quota allows no call now
	over    atomic.Bool                      // all of the range is answered
}

// replay is the generation of a lane's answers.
func (t *task) replay() string {
	if t == nil {
		return ""
	}
	return t.gen
}

// pool is whose answers are kept together: those of all jobs, apart from those of
// the live lane, which go by what is stored.
func (t *task) pool() string {
	if t == nil {
		return ""
	}
	return "jobs"
}

// begun is a time before which nobody can have given a lane's answers.
func (t *task) begun() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.since
}

// newDelivery makes of a message what is to be answered. It is not decoded yet.
func (l *Lane) newDelivery(msg message) (*delivery, error) {
	if l.redrives() {
		return l.exhume(msg)
	}
	if l.task != nil && l.task.records {
		return l.reread(msg)
	}
	return newDelivery(msg)
}

// remembered is an answer that serves an event of a person too; nil if there is
// none. What the live lane has looked up is of another generation: a replay is
// asked for because of it.
func (l *Lane) remembered(d *delivery, k key) *recentAnswer {
	life, _ := l.mark.get()
	of := recentKey{l.cfg.AppID, l.task.pool(), life, k}
	if l.task == nil {
		return l.recent.get(of, d.event.Source.Seq, l.cfg.RecentMaxAge)
	}
	if a := l.recent.get(of, noSeq, max(l.task.maxAge, time.Since(l.task.began))); a != nil {
		return a // asked for since the range was fixed, or by another job so short a time ago
	}
	of.gen = ""
	of.life, _ = l.live.mark.get()
	return l.recent.get(of, noSeq, l.task.maxAge)
}

// noSeq is above every sequence.
const noSeq = ^uint64(0)

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// prefetch is how many messages are asked for at once: as many as usual, but
// never more than a task takes in a few seconds.
func (l *Lane) prefetch() int {
	if l.task == nil || l.task.rate <= 0 {
		return l.cfg.prefetch()
	}
	return int(min(max(1, 5*l.task.rate), float64(l.cfg.prefetch())))
}

// taskForgotten is after how long the server deletes the durable of a task that
// nobody goes on with: longer than messages are kept as a rule.
const taskForgotten = 90 * 24 * time.Hour
