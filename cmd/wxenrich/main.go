package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	os.Exit(execute(interruptible(context.Background()), os.Args[1:], streams{
		in:      os.Stdin,
		out:     os.Stdout,
		err:     os.Stderr,
		environ: os.Environ(),
		inTTY:   term.IsTerminal(int(os.Stdin.Fd())),
	}))
}

// interruptible ends its context at the first SIGINT or SIGTERM and the process
// at the second: whoever asks twice does not want to wait for anything. One
// channel takes both, so that no signal falls between two handlers.
func interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(fmt.Errorf("received signal: %v", <-signals))
		code := exitInterrupted
		if <-signals == syscall.SIGTERM {
			code = exitTerminated
		}
		os.Exit(code)
	}()
	return ctx
}
