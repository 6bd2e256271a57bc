package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// deadListFlags is what the command line says.
type deadListFlags struct {
	deadFlags
	each  bool
	limit int
	json  bool
}

func newDeadListCommand(a *app) *cobra.Command {
	var f deadListFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "Count dead letters by account and cause, or list each",
		Long: `Counts dead letters by account, reason and errcode, with the age of the oldest
and the newest; with --each it shows every single one, oldest first. It reads
headers only and changes nothing. Exit code 3 when there are none.`,
		Example: `  wxenrich dead list
  wxenrich dead list --appid wx0123456789abcdef --since 2d --json
  wxenrich dead list --each --reason rejected --code 40003 --limit 20`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.limit < 0 || f.limit > 0 && !f.each {
				return usage("--limit %d: want 1 or more, and --each", f.limit)
			}
			return f.withDead(c.Context(), a, "dead list", nil, f.run)
		},
	}
	f.register(a, c)
	flags := c.Flags()
	flags.BoolVar(&f.each, "each", false, "show every letter")
	flags.IntVarP(&f.limit, "limit", "n", 0, "with --each, stop after so many")
	flags.BoolVar(&f.json, "json", false, "print JSON: one object, with --each one in a line for each letter")
	return c
}

func (f *deadListFlags) run(ctx context.Context, m *morgue) error {
	if f.each {
		return f.listEach(ctx, m)
	}
	groups := dead.Groups{}
	sum, err := m.read(ctx, false, func(_ dead.Place, l *dead.Letter) bool {
		groups.Add(l)
		return true
	})
	switch {
	case err != nil:
		return err
	case f.json:
		err = m.app.printJSON(map[string]any{"total": sum.Read, "groups": groups.List()})
	case sum.Read > 0:
		err = printGroups(term.Of(m.app.out, m.app.getenv), groups.List(), time.Now())
	}
	if err == nil && sum.Read == 0 {
		return m.none()
	}
	return err
}

func printGroups(screen term.Screen, groups []dead.Group, now time.Time) error {
	rows := make([][]string, len(groups))
	for i := range groups {
		g := &groups[i]
		rows[i] = []string{g.AppID, string(g.Reason), codeCell(g.Code), grouped(g.Count), ageAt(now, g.Oldest), ageAt(now, g.Newest), dead.Meaning(g.Reason)}
	}
	return screen.Table([]string{"account", "reason", "errcode", "count", "oldest", "newest", "meaning"}, rows, "meaning", "newest", "account", "errcode")
}

// listEach prints letters as they are read: there may be many.
func (f *deadListFlags) listEach(ctx context.Context, m *morgue) error {
	screen, now := term.Of(m.app.out, m.app.getenv), time.Now()
	columns := letterColumns(screen)
	print := func(cell func(*letterColumn) string) string {
		cells, widths := make([]string, len(columns)), make([]int, len(columns))
		for i := range columns {
			cells[i], widths[i] = cell(&columns[i]), columns[i].width
		}
		return screen.Row(cells, widths)
	}
	n := 0
	var failure error
	_, err := m.read(ctx, false, func(_ dead.Place, l *dead.Letter) bool {
		if f.json {
			failure = m.app.printJSON(newDeadJSON(l))
		} else {
			if n == 0 {
				fmt.Fprintln(screen, screen.Bold(print(func(c *letterColumn) string { return c.name })))
			}
			_, failure = fmt.Fprintln(screen, print(func(c *letterColumn) string { return c.cell(l, now) }))
		}
		n++
		return failure == nil && (f.limit == 0 || n < f.limit)
	})
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return err
	case n == 0:
		return m.none()
	}
	return nil
}

// letterColumn is a column of the list of letters, which is printed as it is
// read: nobody knows how wide a cell will be.
type letterColumn struct {
	name  string
	width int
	cell  func(l *dead.Letter, now time.Time) string
}

// letterColumns are those that a screen has room for.
func letterColumns(screen term.Screen) []letterColumn {
	all := []letterColumn{
		{"seq", 8, func(l *dead.Letter, _ time.Time) string { return strconv.FormatUint(l.Seq, 10) }},
		{"age", 8, func(l *dead.Letter, now time.Time) string { return ageAt(now, l.Stored) }},
		{"account", 18, func(l *dead.Letter, _ time.Time) string { return l.AppID }},
		{"reason", 14, func(l *dead.Letter, _ time.Time) string { return string(l.Reason) }},
		{"errcode", 7, func(l *dead.Letter, _ time.Time) string { return codeCell(l.Code) }},
		{"event", 16, func(l *dead.Letter, _ time.Time) string { return l.EventID }},
		{"message", 40, func(l *dead.Letter, _ time.Time) string { return l.Detail }},
	}
	room := screen.Width
	for _, c := range all {
		room -= c.width
	}
	for _, name := range []string{"account", "event", "errcode"} {
		if screen.TTY && room < 0 {
			i := slices.IndexFunc(all, func(c letterColumn) bool { return c.name == name })
			room += all[i].width
			all = slices.Delete(all, i, i+1)
		}
	}
	return all
}

func codeCell(code int) string {
	if code == 0 {
		return unknownCell
	}
	return strconv.Itoa(code)
}

// ageAt is how long ago t was.
func ageAt(now, t time.Time) string {
	seconds := max(0, now.Sub(t).Seconds())
	return age(&seconds)
}
