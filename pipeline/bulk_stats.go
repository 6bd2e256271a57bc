package pipeline

import (
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// bulkWork is what an account's jobs have done in this process, by their kind:
// a job's lane lives only as long as it is at work, and counters go on.
type bulkWork struct {
	mu    sync.Mutex
	over  map[job.Kind]job.Progress
	kind  job.Kind // of the job at work; empty if there is none
	lane  *Lane    // that does it; nil while it is prepared
	began time.Time
}

// begin notes that a job of a kind is at work.
func (w *bulkWork) begin(kind job.Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kind = kind
}

// by notes which lane does it.
func (w *bulkWork) by(lane *Lane, began time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lane, w.began = lane, began
}

// end notes that it is at work no more.
func (w *bulkWork) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over == nil {
		w.over = make(map[job.Kind]job.Progress)
	}
	w.over[w.kind] = w.sum(w.kind)
	w.kind, w.lane = "", nil
}

func (w *bulkWork) sum(kind job.Kind) job.Progress {
	p := w.over[kind]
	if w.kind == kind && w.lane != nil {
		now := w.lane.done(w.began)
		p.Total += now.Done // by which Plus bounds it
		p = p.Plus(now)
	}
	return p
}

// Bulk is what jobs of a kind have done for the account in this process, and
// whether one is at work now. It is safe for concurrent use.
func (l *Lane) Bulk(kind job.Kind) (done job.Progress, atWork bool) {
	l.bulk.mu.Lock()
	defer l.bulk.mu.Unlock()
	return l.bulk.sum(kind), l.bulk.kind == kind
}
