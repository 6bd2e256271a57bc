package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity is what a finding leads to.
type Severity string

// The severities.
const (
	Refuse Severity = "refuse" // events would be lost: a lane does not start
	Warn   Severity = "warn"   // events would be answered twice, or not until somebody acts
	Info   Severity = "info"   // good to know, and a choice that somebody may have made
)

// A Finding is one setting that does not fit.
type Finding struct {
	Severity Severity `json:"severity"`
	About    string   `json:"about"`          // for example "stream WX_EVENTS"
	Field    string   `json:"field"`          // as NATS's JSON calls it, for example "max_age"
	Have     string   `json:"have"`           //
	Want     string   `json:"want,omitempty"` // the least or the most that does; empty where there is no such value
	Why      string   `json:"why"`            // what it leads to
	Fix      string   `json:"fix,omitempty"`  // a command, or what to do instead
}

// String is the finding in one line, without the remedy.
func (f Finding) String() string {
	want := ""
	if f.Want != "" {
		want = ", want " + f.Want
	}
	return fmt.Sprintf("%s: %s is %s%s: %s", f.About, f.Field, f.Have, want, f.Why)
}

// Refusal is the first finding with which a lane must not start.
func Refusal(findings []Finding) (f Finding, refused bool) {
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.Severity == Refuse })
	if i < 0 {
		return Finding{}, false
	}
	return findings[i], true
}

// report collects the findings about one thing.
type report struct {
	about string
	edit  string // the command that changes it, without options
	all   []Finding
}

// add notes a finding with the options of the edit that mends it.
func (r *report) add(s Severity, field string, have, want any, options, why string) {
	r.note(s, field, have, want, r.edit+" "+options, why)
}

// note notes one that no edit mends.
func (r *report) note(s Severity, field string, have, want any, fix, why string) {
	r.all = append(r.all, Finding{s, r.about, field, text(have), text(want), why, fix})
}

// text is a value in short: durations as the nats CLI takes them.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Duration:
		return span(v)
	case []time.Duration:
		var all []string
		for _, d := range v {
			all = append(all, span(d))
		}
		return strings.Join(all, " ")
	case interface{ MarshalJSON() ([]byte, error) }: // a policy, in the words of NATS's JSON
		if b, err := v.MarshalJSON(); err == nil {
			return strings.Trim(string(b), `"`)
		}
	}
	return fmt.Sprint(v)
}

// span is a duration without the units that are zero.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
