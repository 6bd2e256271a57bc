package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// print says what was removed, and what could not be reached.
func (e *eraser) print(ctx context.Context, part *erasing, r *erase.Report) error {
	var streams []string
	for _, p := range part.Places {
		streams = append(streams, p.Stream)
	}
	r.Notes = append(r.Notes, erase.Unreached(ctx, e.js, streams)...)
	for _, o := range e.cfg.Outputs {
		if note := erase.Readers(ctx, e.js, expandAppID(o.Stream, part.AppID)); note != "" {
			r.Notes = append(r.Notes, note)
		}
	}
	r.Notes = append(r.Notes, erase.OnDisk(e.cfg.State.Bucket)...)
	if r.Swept == nil {
		r.Swept = []erase.Swept{} // a list for scripts, also where there is nothing
	}
	r.Notes = append(r.Notes, "backups of the streams, and whatever was made of the records")
	if e.json {
		return e.app.printJSON(struct {
			DryRun bool `json:"dry_run,omitempty"`
			*erase.Report
		}{e.dryRun, r})
	}
	screen := term.Of(e.app.out, e.app.getenv)
	var rows [][]string
	for _, s := range r.Swept {
		rows = append(rows, []string{r.AppID, s.Stream, strings.ReplaceAll(string(s.Kind), "_", " "), grouped(s.Found), grouped(s.Removed), s.Fault})
	}
	if len(rows) == 0 {
		fmt.Fprintf(screen, "the streams of %s hold nothing about the person\n", r.AppID)
	} else if err := screen.Table([]string{"account", "stream", "what", "found", "removed", "left because"}, rows, "account"); err != nil {
		return err
	}
	if r.Notices > 0 {
		fmt.Fprintf(screen, "consumers are told on %s\n", part.Subject)
	}
	fmt.Fprintln(screen, "not reached:")
	for _, n := range slices.Compact(r.Notes) {
		if err := screen.Text("  ", n); err != nil {
			return err
		}
	}
	return nil
}
