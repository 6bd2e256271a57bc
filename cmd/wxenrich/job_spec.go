package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/job"
)

// askedText is the range as it was asked for, without what was not said.
func askedText(s *job.Spec) string {
	var said []string
	for word := range strings.FieldsSeq(s.Asked) {
		switch _, value, _ := strings.Cut(word, "="); value {
		case "", "0", "[]", "false":
		default:
			said = append(said, word)
		}
	}
	return strings.Join(said, " ")
}

// askedSubjects are those that a replay was told to read in place of all of the
// account's.
func askedSubjects(s *job.Spec) []string {
	_, list, _ := strings.Cut(s.Asked, " subjects=")
	return slices.DeleteFunc(strings.Split(list, ","), func(one string) bool { return one == "" })
}

// onlyText is which part of its range a job is about; empty for all of it.
func onlyText(s *job.Spec) string {
	parts := some(nil, "subject", askedSubjects(s))
	parts = some(parts, "type", s.Types)
	parts = some(parts, "openid", s.OpenIDs)
	parts = some(parts, "id", s.IDs)
	if s.Missing {
		parts = append(parts, "without a record")
	}
	if s.SinceCrawl != "" {
		parts = append(parts, "since "+s.SinceCrawl)
	}
	if l := s.Letters; l != nil {
		parts = some(parts, "letter", l.Seqs)
		parts = some(parts, "reason", l.Reasons)
		parts = some(parts, "errcode", l.Codes)
		for _, bound := range []struct {
			word string
			at   time.Time
		}{{"stored since", l.Since}, {"stored before", l.Until}} {
			if !bound.at.IsZero() {
				parts = append(parts, bound.word+" "+bound.at.Local().Format(time.RFC3339))
			}
		}
		parts = append(parts, fmt.Sprintf("redriven less than %d times", l.MaxHops))
	}
	return strings.Join(parts, "; ")
}

// some adds which values of a kind are meant, or how many where they are many.
func some[T any](parts []string, word string, values []T) []string {
	const few = 3
	if len(values) == 0 {
		return parts
	}
	if len(values) > few {
		return append(parts, grouped(uint64(len(values)))+" "+word+"s")
	}
	named := make([]string, len(values))
	for i, v := range values {
		named[i] = fmt.Sprint(v)
	}
	return append(parts, word+" "+strings.Join(named, ", "))
}

// rateText is how fast a job may be; empty where nothing bounds it.
func rateText(s *job.Spec) string {
	if s.Rate <= 0 {
		return ""
	}
	return strconv.FormatFloat(s.Rate, 'f', -1, 64) + "/s"
}

// makesText is what a job's answers are, where that is not as usual.
func makesText(s *job.Spec) string {
	var parts []string
	if s.Records {
		parts = append(parts, "stored records encoded anew, without a call")
	}
	if s.Format != "" {
		parts = append(parts, "in "+s.Format)
	}
	if s.Output != "" {
		parts = append(parts, "to "+s.Output)
	}
	if s.MaxAge > 0 {
		parts = append(parts, "also from look-ups of the last "+age(new(s.MaxAge.Seconds())))
	}
	if s.DryRun {
		parts = append(parts, "none: a dry run")
	}
	return strings.Join(parts, "; ")
}
