package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// stretch is events of a lane that have something in common.
type stretch struct{ n, first, last uint64 }

func (s *stretch) add(seq uint64) {
	if s.n++; s.n == 1 {
		s.first = seq
	}
	s.last = seq
}

// again is how to have the events of a stretch answered.
func (s *stretch) again(l *Lane) string {
	subject := ""
	if l.Part != "" { // a replay is of what the live lane listens to, unless it is told
		subject = " --subject " + strings.Join(l.Subjects, ",")
	}
	return fmt.Sprintf("; \"wxenrich replay --appid %s%s --from-seq %d --to-seq %d\" answers them again", l.AppID, subject, s.first, s.last)
}

// explain notes what stands behind events without an answer.
func (r *run) explain() {
	if sum := r.report.Sum(); sum.Missing > 0 || sum.Unverifiable > 0 {
		r.report.Notes = append(r.report.Notes, r.doubts...)
	}
	for i := range r.lanes {
		l, s := &r.lanes[i], &r.scope.Lanes[i]
		if l.unverifiable.n > 0 {
			remedy := ""
			if l.taken {
				remedy = l.unverifiable.again(s)
			}
			r.note("account %s: %d events stored before %s cannot be verified: %s%s", s.AppID, l.unverifiable.n, rfc3339(l.horizon), l.why, remedy)
		}
		if l.undone.n > 0 {
			r.note("account %s: %s was restored from a backup at %s; %d events from before that are missing: their answers may have been stored since the backup%s",
				s.AppID, l.restoredName, rfc3339(l.restored), l.undone.n, l.undone.again(s))
		}
	}
	r.settleShort()
}

// settleShort counts what is missing for certain among the unverifiable: where
// nothing but dead letters can have been their answers, no more events had one
// than dead letters have left.
func (r *run) settleShort() {
	lack := map[string]uint64{}
	for i := range r.lanes {
		lack[r.scope.Lanes[i].Dead] += r.lanes[i].letterless
	}
	for _, name := range slices.Sorted(maps.Keys(lack)) {
		n := lack[name]
		if left := r.memories[name].left; n > left {
			r.report.Short += n - left
			r.note("%d events have no record, and only %d dead letters are gone from %s: at least %d are missing", n, left, name, n-left)
		}
	}
}

func rfc3339(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
