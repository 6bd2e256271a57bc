package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// statusColumn is one of the table's columns.
type statusColumn struct {
	name string
	cell func(*status.Account) string
}

var statusColumns = []statusColumn{
	{"account", func(a *status.Account) string { return a.AppID }},
	{"phase", func(a *status.Account) string { return string(a.Phase) }},
	{"lag", ofDurable(func(d *status.Durable) string { return grouped(d.Lag) })},
	{"in hand", ofDurable(func(d *status.Durable) string { return grouped(uint64(d.InHand)) })},
	{"oldest", ofDurable(func(d *status.Durable) string { return age(d.OldestAge) })},
	{"per s", ofDurable(perSecond)},
	{"redelivered", ofDurable(func(d *status.Durable) string { return grouped(uint64(d.Redelivered)) })},
	{"records", func(a *status.Account) string {
		if a.Records == nil {
			return unknownCell
		}
		return grouped(*a.Records)
	}},
	{"dead", deadSum},
	{"of which", deadByReason},
	{"quota", ofQuota(percentUsed)},
	{"fill", ofQuota(func(q *status.Quota) string {
		if q.Fill == nil {
			return unknownCell
		}
		return fmt.Sprintf("%.1f", *q.Fill)
	})},
	{"used", ofQuota(func(q *status.Quota) string { return grouped(uint64(q.Used)) })},
	{"left", ofQuota(func(q *status.Quota) string { return orUnknown(q.Left) })},
	{"by midnight", ofQuota(func(q *status.Quota) string { return orUnknown(q.Expected) })},
	{"mark", func(a *status.Account) string {
		if a.Mark == nil {
			return unknownCell
		}
		return grouped(a.Mark.May)
	}},
}

// unknownCell stands for what nobody can say.
const unknownCell = "-"

// statusLess are the columns that a narrow terminal does without, the first first.
var statusLess = []string{"mark", "by midnight", "left", "used", "of which", "records", "redelivered", "fill", "per s", "in hand", "quota", "dead", "oldest"}

// statusLines is the table, an account in a row and below it what to do, and
// the notes.
func statusLines(screen term.Screen, r *status.Report) []string {
	var header []string
	rows := make([][]string, len(r.Accounts))
	for _, c := range statusColumns {
		header = append(header, c.name)
		for i := range r.Accounts {
			rows[i] = append(rows[i], c.cell(&r.Accounts[i]))
		}
	}
	var b strings.Builder
	table := screen
	table.Writer = &b
	_ = table.Table(header, rows, statusLess...) // a strings.Builder takes everything
	printed := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	lines := printed[:1]
	for i := range r.Accounts {
		lines = append(lines[:len(lines):len(lines)], printed[i+1])
		for _, text := range accountTexts(&r.Accounts[i]) {
			lines = append(lines, screen.Wrap("  ", text)...)
		}
	}
	for _, n := range r.Notes {
		lines = append(lines, screen.Wrap("", "note: "+n)...)
	}
	return lines
}

// accountTexts is what stands below an account's row.
func accountTexts(a *status.Account) []string {
	var out []string
	for i := range a.Holds {
		out = append(out, heldText(&a.Holds[i]), "do: "+a.Holds[i].Hint)
	}
	if a.Phase != status.Held && a.Hint != "" {
		out = append(out, "do: "+a.Hint)
	}
	if d := a.Durable; d != nil && d.Expiring() {
		out = append(out, "the stream drops the oldest event at "+d.Expires.Format(time.RFC3339)+", answered or not (input.max_age)")
	}
	if q := a.Quota; q != nil && q.Left != nil && *q.Left == 0 {
		out = append(out, "the day's quota is spent; it begins anew at "+q.Reset.Format(time.RFC3339))
	} else if q != nil && !q.RunsOut.IsZero() {
		out = append(out, fmt.Sprintf("at today's pace the quota is gone at %s; it begins anew at %s",
			q.RunsOut.Format(time.RFC3339), q.Reset.Format(time.RFC3339)))
	}
	for _, o := range a.Outputs[min(1, len(a.Outputs)):] {
		if o.Records != nil {
			out = append(out, fmt.Sprintf("%s holds %s records", o.Stream, grouped(*o.Records)))
		}
	}
	for i := range a.Jobs {
		out = append(out, jobText(&a.Jobs[i]))
	}
	if e := a.Erasures; e != nil {
		people := "1 person is"
		if e.Waiting > 1 {
			people = grouped(uint64(e.Waiting)) + " people are"
		}
		out = append(out, people+" to be erased, the first not before "+e.Due.Format(time.RFC3339))
	}
	return append(out, a.Notes...)
}

// jobText is bulk work in a sentence.
func jobText(j *status.Job) string {
	s := fmt.Sprintf("%s is %s: %s of %s", j.ID, j.State, grouped(uint64(j.Done)), grouped(uint64(j.Total)))
	if j.Note != "" {
		s += "; " + j.Note
	}
	return s
}

// heldText is a hold in a sentence.
func heldText(h *status.Hold) string {
	s := "on hold since "
	if h.Replica {
		s = "only replica " + h.By + ", on hold since "
	}
	s += h.Since.Format(time.RFC3339) + ", "
	if h.NextTry.IsZero() {
		s += "until somebody ends it"
	} else {
		s += "next try " + h.NextTry.Format(time.RFC3339)
	}
	s += ": " + h.Reason
	if h.Code != 0 {
		s += fmt.Sprintf(" (errcode %d)", h.Code)
	}
	if h.Detail != "" {
		s += ": " + h.Detail
	}
	if h.RID != "" {
		s += ", rid " + h.RID
	}
	return s
}

func ofDurable(cell func(*status.Durable) string) func(*status.Account) string {
	return func(a *status.Account) string {
		if a.Durable == nil {
			return unknownCell
		}
		return cell(a.Durable)
	}
}

func perSecond(d *status.Durable) string {
	switch {
	case d.Rate == nil:
		return unknownCell
	case *d.Rate > 0 && *d.Rate < 10:
		return fmt.Sprintf("%.1f", *d.Rate)
	}
	return grouped(uint64(*d.Rate + 0.5))
}

func deadSum(a *status.Account) string {
	if a.DeadLetters == nil {
		return unknownCell
	}
	var sum uint64
	for _, n := range a.DeadLetters {
		sum += n
	}
	return grouped(sum)
}

func deadByReason(a *status.Account) string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(a.DeadLetters)) {
		out = append(out, string(reason)+" "+grouped(a.DeadLetters[reason]))
	}
	if len(out) == 0 {
		return unknownCell
	}
	return strings.Join(out, ", ")
}

func ofQuota(cell func(*status.Quota) string) func(*status.Account) string {
	return func(a *status.Account) string {
		if a.Quota == nil {
			return unknownCell
		}
		return cell(a.Quota)
	}
}

func percentUsed(q *status.Quota) string {
	if q.Limit == 0 {
		return unknownCell
	}
	return fmt.Sprintf("%d%%", 100*q.Used/q.Limit)
}

func orUnknown(n *int64) string {
	if n == nil {
		return unknownCell
	}
	return grouped(uint64(*n))
}

// age is a time in its two largest units.
func age(seconds *float64) string {
	if seconds == nil {
		return unknownCell
	}
	d := time.Duration(*seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return "<1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
