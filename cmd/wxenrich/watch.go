package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchQuiet is how long a folder has to be quiet after a change: whoever writes
// a file does so in several steps.
const watchQuiet = 250 * time.Millisecond

// watchFolder calls changed after changes of a folder's files, in a goroutine of
// its own, until ctx ends. It watches the folder that holds it too: the folder
// may be a symbolic link, or be made anew.
func watchFolder(ctx context.Context, dir string, log *slog.Logger, changed func()) (stop func(), err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, failed("accounts_dir: %w", err)
	}
	dir = filepath.Clean(dir)
	add := func() {
		if err := w.Add(dir); err != nil {
			log.Warn("accounts_dir cannot be watched; SIGHUP has it read again", slog.Any("error", err))
		}
	}
	add()
	_ = w.Add(filepath.Dir(dir)) // without it only a folder made anew goes unseen
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer w.Close()
		quiet := time.NewTimer(time.Hour)
		defer quiet.Stop()
		for {
			select {
			case e := <-w.Events:
				switch filepath.Dir(e.Name) {
				case dir:
				default:
					if filepath.Clean(e.Name) != dir {
						continue // a neighbour
					}
					if e.Has(fsnotify.Create) {
						_ = w.Remove(dir) // what was there before may be watched still
						add()
					}
				}
				quiet.Reset(watchQuiet)
			case err := <-w.Errors:
				log.Warn("watching accounts_dir", slog.Any("error", err))
				quiet.Reset(watchQuiet) // something may have been missed
			case <-quiet.C:
				changed()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}
