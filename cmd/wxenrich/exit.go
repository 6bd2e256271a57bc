package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitBroken      = 4   // an audit has found that the law does not hold
	exitInterrupted = 130 // 128 + SIGINT, as a shell reports it
	exitTerminated  = 143 // 128 + SIGTERM, of a second signal only
)

// exitError is an error that knows its exit code and what to do about it.
type exitError struct {
	code  int
	err   error
	hints []string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is a mistake on the command line or in the configuration.
func usage(format string, args ...any) *exitError {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// failed is anything else that went wrong and that needs a hint.
func failed(format string, args ...any) *exitError {
	return &exitError{code: exitFailed, err: fmt.Errorf(format, args...)}
}

// nothing means that there was nothing to do, or nothing was found.
func nothing(format string, args ...any) *exitError {
	return &exitError{code: exitNotFound, err: fmt.Errorf(format, args...)}
}

// hint adds a line that says what to do.
func (e *exitError) hint(format string, args ...any) *exitError {
	e.hints = append(e.hints, fmt.Sprintf(format, args...))
	return e
}

// report prints an error once and says with which code to exit. A hint is left
// whole: it may be a command to be copied.
func report(ctx context.Context, err error, stderr term.Screen) int {
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "wxenrich: interrupted")
		return exitInterrupted
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		text := strings.TrimLeft(line, " ")
		head := "wxenrich: " + line[:len(line)-len(text)]
		fmt.Fprintln(stderr, strings.Join(stderr.Entry(head, text), "\n"))
	}
	e, ok := errors.AsType[*exitError](err)
	if !ok {
		return exitFailed
	}
	for _, h := range e.hints {
		fmt.Fprintln(stderr, "hint:", h)
	}
	return e.code
}
