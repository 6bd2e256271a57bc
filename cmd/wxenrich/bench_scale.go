package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/bench"
)

func newBenchScaleCommand(a *app) *cobra.Command {
	var dir, machine string
	var runs int
	c := &cobra.Command{
		Use:   "scale [DIMENSION]...",
		Short: "Measure how the service scales, and write tables and plots",
		Long: `Scale varies one thing after the other (concurrency, batch, latency, accounts,
busy, idle, replicas, record, backlog; all, or those that are named) and writes
scaling.md, a plot for each and the numbers, scaling.json, into a folder, after
each dimension. What was measured of others before stays.`,
		Example: `  wxenrich bench scale --dir deploy/docs
  wxenrich bench scale --dir /tmp --runs 1 batch`,
	}
	c.Flags().StringVar(&dir, "dir", "deploy/docs", "folder to write to")
	c.Flags().StringVar(&machine, "machine", fmt.Sprintf("a machine with %d cores", runtime.NumCPU()), "what the page says of the machine")
	c.Flags().IntVar(&runs, "runs", 3, "runs at each value; the page has their medians")
	for _, d := range bench.Dimensions() {
		c.ValidArgs = append(c.ValidArgs, d.Name)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if runs < 1 {
			return usage("--runs %d: want 1 or more", runs)
		}
		for _, name := range args {
			if !slices.Contains(c.ValidArgs, name) {
				return usage("no dimension %q", name)
			}
		}
		return a.benchScale(c.Context(), dir, machine, runs, args)
	}
	return c
}

const scalingNumbers = "scaling.json"

func (a *app) benchScale(ctx context.Context, dir, machine string, runs int, names []string) error {
	program, err := a.benchProgram()
	if err != nil {
		return err
	}
	var s bench.Scaling
	text, err := os.ReadFile(filepath.Join(dir, scalingNumbers))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return usage("--dir: %w", err)
	}
	s.Machine = machine
	for _, d := range bench.Dimensions() {
		if len(names) > 0 && !slices.Contains(names, d.Name) {
			continue
		}
		points, err := program.Scale(ctx, d, runs, func(what string) { fmt.Fprintln(a.err, what) })
		if err != nil {
			return err
		}
		s.Replace(d.Name, points)
		if err := writeScaling(dir, &s); err != nil { // what comes after it may be interrupted
			return err
		}
	}
	return nil
}

// writeScaling writes what is measured until now: the numbers, and the pages that
// are made from them.
func writeScaling(dir string, s *bench.Scaling) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, scalingNumbers), append(text, '\n'), 0o644); err != nil {
		return err
	}
	for name, page := range s.Pages() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}
