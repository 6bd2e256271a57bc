package main

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/wxenrich/wxenrich/events"
)

// rows reads openids from one of the forms of input.
type rows struct {
	source io.Reader
	form   rowForm
	dedupe bool
	begin  int // the first line to publish: those before it have been
}

// row is one of them.
type row struct {
	number   int // of its line, from 1
	openid   string
	fault    string // why there is none
	repeated bool   // and to be skipped for that
}

// rowForm hands what it reads to yield until that returns false, or there is
// no more.
type rowForm func(source io.Reader, yield func(row) bool) error

// all yields the rows; an error ends them. Standard input may be silent for
// ever, so it is read beside the loop, which the context ends.
func (r rows) all(ctx context.Context) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		read, failed := make(chan row), make(chan error, 1)
		go func() {
			defer close(read)
			failed <- r.form(r.source, func(x row) bool {
				select {
				case read <- x:
					return true
				case <-ctx.Done():
					return false
				}
			})
		}()
		seen := map[string]struct{}{}
		for {
			var x row
			var more bool
			select {
			case x, more = <-read:
			case <-ctx.Done():
				yield(row{}, ctx.Err())
				return
			}
			if !more {
				break
			}
			if x.openid = strings.TrimSpace(x.openid); x.openid == "" && x.fault == "" {
				x.fault = "there is no openid"
			}
			// What is no openid is told by its number each time.
			if r.dedupe && x.fault == "" && events.ValidOpenID(x.openid) {
				_, x.repeated = seen[x.openid]
				seen[x.openid] = struct{}{}
			}
			if x.number < r.begin {
				continue
			}
			if !yield(x, nil) {
				return
			}
		}
		if err := <-failed; err != nil {
			yield(row{}, err)
		}
	}
}
