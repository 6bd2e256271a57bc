package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// auditTerm is a column of the table and a term of the equation.
type auditTerm struct {
	name  string
	count func(*audit.Balance) uint64
	extra bool // shown only if it is not zero somewhere
}

var auditTerms = []auditTerm{
	{"records", func(b *audit.Balance) uint64 { return b.Records }, false},
	{"dead letters", func(b *audit.Balance) uint64 { return b.DeadLetters }, false},
	{"purged", func(b *audit.Balance) uint64 { return b.Purged }, true},
	{"pending", func(b *audit.Balance) uint64 { return b.Pending }, false},
	{"replayed", func(b *audit.Balance) uint64 { return b.Replayed }, true},
	{"before start", func(b *audit.Balance) uint64 { return b.BeforeStart }, true},
	{"expired", func(b *audit.Balance) uint64 { return b.Expired }, true},
	{"deleted", func(b *audit.Balance) uint64 { return b.Deleted }, true},
	{"erased", func(b *audit.Balance) uint64 { return b.Erased }, true},
	{"unverifiable", func(b *audit.Balance) uint64 { return b.Unverifiable }, true},
	{"missing", func(b *audit.Balance) uint64 { return b.Missing }, false},
}

// printAudit shows a table of accounts, what is named, what to know, and the
// equation.
func printAudit(screen term.Screen, r *audit.Report, f auditFlags) error {
	sum := r.Sum()
	var terms []auditTerm
	equation := []string{}
	for _, t := range auditTerms {
		n := t.count(&sum)
		if !t.extra || n > 0 {
			terms = append(terms, t)
		}
		if n > 0 {
			equation = append(equation, grouped(n)+" "+t.name)
		}
	}
	header, less := []string{"account", "in"}, []string{"in"}
	for _, t := range terms {
		header, less = append(header, t.name), append(less, t.name)
	}
	less = less[:len(less)-1] // missing is what it is about; the equation has the others
	header = append(header, "doubled")
	rows := make([][]string, len(r.Lanes))
	for i := range r.Lanes {
		b := &r.Lanes[i]
		account := b.AppID
		if b.Part != "" {
			account += ", " + b.Part
		}
		if b.Output != "" {
			account += ", " + b.Output
		}
		rows[i] = []string{account, grouped(b.In)}
		for _, t := range terms {
			rows[i] = append(rows[i], grouped(t.count(b)))
		}
		if b.Forgets {
			rows[i][1], rows[i][len(rows[i])-1] = grouped(b.In)+"+", "?"
		}
		rows[i] = append(rows[i], grouped(b.Doubled))
	}
	if err := screen.Table(header, rows, less...); err != nil {
		return err
	}
	if err := printFindings(screen, r, f); err != nil {
		return err
	}
	for _, n := range r.Notes {
		if err := screen.Text("", "note: "+n); err != nil {
			return err
		}
	}
	if f.doubles {
		p := sum.Repeats
		if err := screen.Text("", fmt.Sprintf("repeats: %s by the producer, %s by replays, %s by redrives, %s by us",
			grouped(p.Producer), grouped(p.Replay), grouped(p.Redrive), grouped(p.Us))); err != nil {
			return err
		}
	}
	if sum.In == 0 {
		return nil
	}
	sides := strings.Join(equation, " + ")
	if sum.Doubled > 0 {
		sides += fmt.Sprintf(", and %s answered once more", grouped(sum.Doubled))
	}
	holds := "the law holds"
	switch {
	case !r.Holds():
		holds = "the law does not hold"
	case r.Untold > 0:
		holds = fmt.Sprintf("the law holds for these; of %s that are gone nobody can say", grouped(r.Untold))
	}
	what := "events"
	if r.Lanes[0].Output != "" {
		what = "events, each once for every output,"
	}
	if sum.Forgets {
		if r.Holds() {
			holds = "none is doubled"
		}
		return screen.Text("", fmt.Sprintf("%s %s or more: %s: %s; what is missing cannot be told", grouped(sum.In), what, sides, holds))
	}
	return screen.Text("", fmt.Sprintf("%s %s = %s: %s", grouped(sum.In), what, sides, holds))
}

func printFindings(screen term.Screen, r *audit.Report, f auditFlags) error {
	if len(r.Findings) == 0 {
		return nil
	}
	header := []string{"", "account", "stream", "seq", "stored", "event", "why"}
	if f.verbose {
		header = append(header, "openid")
	}
	var rows [][]string
	for i := range r.Findings {
		x := &r.Findings[i]
		row := []string{string(x.Kind), x.AppID, x.Stream, strconv.FormatUint(x.Seq, 10),
			x.Stored.Format(time.RFC3339Nano), x.EventID, why(x) + in(x.Output)}
		if f.verbose {
			row = append(row, x.OpenID)
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(screen)
	if err := screen.Table(header, rows, "account", "stream", "stored"); err != nil {
		return err
	}
	_, err := fmt.Fprintln(screen)
	return err
}

func in(output string) string {
	if output == "" {
		return ""
	}
	return ", in " + output
}

// why says in a few words what is wrong with an event.
func why(f *audit.Finding) string {
	generation := ""
	if f.Replay != "" {
		generation = " of replay " + f.Replay
	}
	switch {
	case f.Kind == audit.Missing:
		return "acknowledged, no answer"
	case f.Kind == audit.Doubled:
		return fmt.Sprintf("by %s: records %d, dead letters %d%s", f.Culprit, f.Records, f.DeadLetters, generation)
	case f.Culprit == audit.Producer:
		return fmt.Sprintf("by the producer: id of %d", f.Earlier)
	}
	return "one more answer" + generation
}

// grouped writes a number with commas.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
