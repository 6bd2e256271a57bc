package events

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Drift is one way in which a stream differs from what we would have made.
type Drift struct {
	Stream string
	Field  string // as the stream's JSON configuration calls it
	Want   string
	Have   string
	Fatal  bool // correctness needs it; else it is the operator's choice
}

func (d Drift) String() string {
	return fmt.Sprintf("stream %s: %s is %s, want %s", d.Stream, d.Field, d.Have, d.Want)
}

// drifts compares field by field, fatal ones first.
func (s *StreamSpec) drifts(have jetstream.StreamConfig, m Manage) []Drift {
	want := s.Config()
	var fatal, mild []Drift
	differ := func(is, isFatal bool, field string, want, have any) {
		d := Drift{s.Name, field, fmt.Sprint(want), fmt.Sprint(have), isFatal}
		switch {
		case is && isFatal:
			fatal = append(fatal, d)
		case is:
			mild = append(mild, d)
		}
	}

	// A mirror, or a stream that is fed by others, gets its messages without
	// listening to their subjects: good enough to read from.
	fed := have.Mirror != nil || len(have.Sources) > 0
	missing := uncovered(have.Subjects, s.must())
	differ(len(missing) > 0, s.Output || !fed, "subjects", strings.Join(missing, ", "), strings.Join(have.Subjects, ", "))
	if len(missing) == 0 {
		missing = uncovered(have.Subjects, want.Subjects)
		differ(len(missing) > 0, false, "subjects", strings.Join(missing, ", "), strings.Join(have.Subjects, ", "))
	}
	differ(have.Sealed, s.Output, "sealed", false, true)
	differ(have.NoAck, true, "no_ack", false, true)
	// Work-queue and interest streams forget the ids of what was consumed, and
	// with a limit per subject those of what was replaced, at a restart.
	differ(have.Retention != want.Retention, s.Output, "retention", name(want.Retention), name(have.Retention))
	differ(have.MaxMsgsPerSubject > 0, false, "max_msgs_per_subject", -1, have.MaxMsgsPerSubject)
	differ(have.Storage != want.Storage, false, "storage", name(want.Storage), name(have.Storage))
	differ(have.Discard != want.Discard && bounded(have), false, "discard", name(want.Discard), name(have.Discard))
	differ(have.MaxAge != want.MaxAge, false, "max_age", lasting(want.MaxAge), lasting(have.MaxAge))
	differ(have.MaxBytes != want.MaxBytes, false, "max_bytes", want.MaxBytes, have.MaxBytes)
	differ(have.Replicas != want.Replicas, false, "num_replicas", want.Replicas, have.Replicas)
	differ(have.Duplicates != want.Duplicates, false, "duplicate_window", want.Duplicates, have.Duplicates)
	differ(!have.AllowDirect, false, "allow_direct", true, false)
	differ(s.AllowAtomic && !have.AllowAtomicPublish, false, "allow_atomic", true, false)
	differ(have.DenyDelete, false, "deny_delete", false, true)
	differ(have.PersistMode != want.PersistMode, s.Output, "persist_mode", "default", "async")
	if m == Bind {
		return fatal
	}
	return append(fatal, mild...)
}

func (s *StreamSpec) must() []string {
	if len(s.Must) > 0 {
		return s.Must
	}
	return s.Subjects
}

// bounded: only a stream that can fill up discards anything.
func bounded(c jetstream.StreamConfig) bool { return c.MaxBytes > 0 || c.MaxMsgs > 0 }

func lasting(d time.Duration) string {
	if d == 0 {
		return "unlimited"
	}
	return d.String()
}

// name is a policy in the words of the stream's JSON configuration.
func name(policy interface{ MarshalJSON() ([]byte, error) }) string {
	b, err := policy.MarshalJSON()
	if err != nil {
		return "unknown"
	}
	return strings.Trim(string(b), `"`)
}

// uncovered are the subjects that no one of filters captures wholly.
func uncovered(filters, subjects []string) (missing []string) {
	for _, s := range subjects {
		covered := false
		for _, f := range filters {
			covered = covered || Captures(f, s)
		}
		if !covered {
			missing = append(missing, s)
		}
	}
	return missing
}

// Captures reports whether filter captures all that subject stands for; both may
// have wildcards.
func Captures(filter, subject string) bool {
	for {
		f, filterRest, moreFilter := strings.Cut(filter, ".")
		s, subjectRest, moreSubject := strings.Cut(subject, ".")
		switch {
		case f == ">":
			return true
		case s == ">", f != "*" && f != s:
			return false
		case !moreFilter || !moreSubject:
			return moreFilter == moreSubject
		}
		filter, subject = filterRest, subjectRest
	}
}
