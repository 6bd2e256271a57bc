package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/dead"
	"github.com/wxenrich/wxenrich/pipeline/explain"
)

// storyLines is a story as a person reads it: what happened when, and how it
// stands.
func storyLines(screen term.Screen, s *explain.Story, holds []string) []string {
	head := fmt.Sprintf("event %s of %s", s.EventID, cmp.Or(s.AppID, "no account"))
	if s.Type != "" {
		head += ", " + s.Type
	}
	if s.OpenID != "" {
		head += ", " + s.OpenID
	}
	lines := []string{screen.Bold(screen.Fit(term.Clean(head)))}
	line := func(at time.Time, what, format string, args ...any) {
		when := "                        "
		if !at.IsZero() {
			when = at.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		lines = append(lines, screen.Entry(fmt.Sprintf("  %s  %-12s", when, what), fmt.Sprintf(format, args...))...)
	}
	if !s.Time.IsZero() {
		line(s.Time, "happened", "as the producer says")
	}
	line(s.Stored, "stored", "%s %d%s", s.Stream, s.Seq, onSubject(s.Subject))
	if s.Fault != "" {
		line(time.Time{}, "unreadable", "%s", s.Fault)
	}
	if s.Trace != "" {
		line(time.Time{}, "trace", "%s", s.Trace)
	}
	for i := range s.Answers {
		a := &s.Answers[i]
		told := i > 0 && a.Kind == explain.Record && s.Answers[i-1].Kind == explain.Record && a.FetchedAt.Equal(s.Answers[i-1].FetchedAt)
		answerLines(a, told, line) // of several outputs the look-up is told once
	}
	line(time.Time{}, "now", "%s", standingText(s))
	for _, h := range holds {
		line(time.Time{}, "", "the account is on hold: %s", h)
	}
	return lines
}

func onSubject(subject string) string {
	if subject == "" {
		return ", which has left the stream"
	}
	return " on " + subject
}

func answerLines(a *explain.Answer, told bool, line func(time.Time, string, string, ...any)) {
	of := ""
	if a.Replay != "" {
		of += ", of replay " + a.Replay
	}
	if a.Hop > 0 {
		of += fmt.Sprintf(", after %d redrives", a.Hop)
	}
	if a.Deliveries > 1 {
		of += fmt.Sprintf(", delivered %d times", a.Deliveries)
	}
	if a.Kind == explain.DeadLetter {
		code := ""
		if a.Code != 0 {
			code = fmt.Sprintf(" (errcode %d)", a.Code)
		}
		detail := ""
		if a.Detail != "" {
			detail = ": " + a.Detail
		}
		line(a.Stored, "dead letter", "%s %d: %s%s after %d calls%s%s", a.Stream, a.Seq, a.Reason, code, a.Attempts, detail, of)
		line(time.Time{}, "", "%s", dead.Meaning(a.Reason))
		return
	}
	switch {
	case told:
	case a.Source == "":
		line(a.FetchedAt, "not asked", "an unsubscribe is all there is to know")
	case a.Source == "recent":
		line(a.FetchedAt, "looked up", "for an earlier event of the same person, and remembered")
	default:
		line(a.FetchedAt, "looked up", "by %s, errcode 0; all records of one call have the same fetched_at", a.Source)
	}
	line(a.Stored, "record", "%s %d: %s%s", a.Stream, a.Seq, a.Status, of)
}

// standingText says how it stands, and what to do.
func standingText(s *explain.Story) string {
	switch s.Standing {
	case explain.Answered:
		last := &s.Answers[len(s.Answers)-1]
		if last.Kind == explain.DeadLetter {
			return fmt.Sprintf("answered by a dead letter: \"wxenrich dead show %d\"", last.Seq)
		}
		return "answered"
	case explain.Waiting:
		return fmt.Sprintf("waits: %s messages of the stream are between it and the last that was taken", grouped(s.Behind))
	case explain.InHand:
		return "taken, and not acknowledged yet: a replica has it in hand, or has handed it back"
	case explain.Purged:
		return "acknowledged: it had a dead letter, which somebody has removed (\"wxenrich dead purge\")"
	case explain.Erased:
		return "acknowledged: the person is erased, and nothing is stored about events from before that"
	case explain.BeforeStart:
		return "never asked for: it is from before the durable was to begin (input.start)"
	case explain.ForJob:
		return "for a job to answer, which is not done: \"wxenrich jobs list --all\""
	case explain.NotHeard:
		return "never asked for: no account listens to its subject (input.subject), or its durable does not yet: \"wxenrich doctor\" says how to change that"
	case explain.NoDurable:
		return "nobody listens: there is no durable; \"wxenrich run\" makes it"
	}
	return "acknowledged, and there is no answer any more: it has expired or was removed, or \"wxenrich audit\" calls it missing"
}
