package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/status"
)

// statusView prints reports.
type statusView struct {
	app   *app
	json  bool
	drawn bool
}

// watch prints a report now and then until ctx ends. While the server does not
// answer it shows the last report, and says so.
func (v *statusView) watch(ctx context.Context, every time.Duration, r status.Report, look func(context.Context) (status.Report, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := v.show(&r); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		next, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			r = outdated(r, err)
		default:
			next.Rates(&r)
			r = next
		}
	}
}

// outdated is a report with why there is no newer one.
func outdated(r status.Report, err error) status.Report {
	const mark = "this is of "
	r.Notes = slices.DeleteFunc(slices.Clone(r.Notes), func(n string) bool { return strings.HasPrefix(n, mark) })
	r.Notes = append(r.Notes, fmt.Sprintf("%s%s; since then: %v", mark, r.At.Format(time.RFC3339), err))
	return r
}

func (v *statusView) show(r *status.Report) error {
	screen := term.Of(v.app.out, v.app.getenv)
	switch {
	case v.json:
		return v.once(r)
	case screen.TTY:
		return v.redraw(screen, r)
	}
	_, err := fmt.Fprint(v.app.out, strings.Join(plainLines(r), "\n")+"\n")
	return err
}

// redraw draws over what was drawn before, from the top of the screen, and no
// more than fits.
func (v *statusView) redraw(screen term.Screen, r *status.Report) error {
	lines := statusLines(screen, r)
	if room := screen.Height - 1; room > 0 && len(lines) > room {
		lines = append(lines[:room-1:room-1], fmt.Sprintf("… %d lines more", len(lines)-room+1))
	}
	top := "\x1b[H"
	if !v.drawn {
		top = "\x1b[2J\x1b[H"
	}
	v.drawn = true
	_, err := fmt.Fprint(screen, top+strings.Join(lines, "\x1b[K\n")+"\x1b[K\n\x1b[J")
	return err
}

// plainLines is a line for each account, for a log.
func plainLines(r *status.Report) []string {
	var lines []string
	for i := range r.Accounts {
		a := &r.Accounts[i]
		parts := []string{r.At.Format(time.RFC3339), a.AppID, string(a.Phase)}
		for _, c := range statusColumns[2:] {
			if cell := c.cell(a); cell != unknownCell {
				parts = append(parts, c.name+" "+cell)
			}
		}
		for _, text := range accountTexts(a) {
			parts = append(parts, term.Clean(text))
		}
		lines = append(lines, strings.Join(parts, "  "))
	}
	for _, n := range r.Notes {
		lines = append(lines, r.At.Format(time.RFC3339)+"  note: "+term.Clean(n))
	}
	return lines
}

// once prints one report.
func (v *statusView) once(r *status.Report) error {
	if v.json {
		return v.app.printJSON(r)
	}
	lines := statusLines(term.Of(v.app.out, v.app.getenv), r)
	_, err := fmt.Fprint(v.app.out, strings.Join(lines, "\n")+"\n")
	return err
}
