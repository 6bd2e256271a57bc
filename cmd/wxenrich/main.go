package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := interruptible(context.Background())
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], streams{
		in:      os.Stdin,
		out:     os.Stdout,
		err:     os.Stderr,
		environ: os.Environ(),
		inTTY:   term.IsTerminal(int(os.Stdin.Fd())),
	}))
}

// interruptible ends its context at the first SIGINT or SIGTERM and the process
// at the second: whoever asks twice does not want to wait for anything.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	second := make(chan os.Signal, 1)
	context.AfterFunc(ctx, func() {
		signal.Notify(second, os.Interrupt, syscall.SIGTERM)
		code := exitInterrupted
		if s := <-second; s == syscall.SIGTERM {
			code = exitTerminated
		}
		os.Exit(code)
	})
	return ctx, cancel
}
