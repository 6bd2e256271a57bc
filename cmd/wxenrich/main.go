package main

import (
	"context"
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

// received is why the context has ended; whoever asks whether it was canceled is
// told that it was.
type received struct{ os.Signal }

func (r received) Error() string        { return "received signal: " + r.String() }
func (r received) Is(target error) bool { return target == context.Canceled }

// interruptible ends its context at the first SIGINT or SIGTERM and the process
// at the second: whoever asks twice does not want to wait for anything. One
// channel takes both, so that no signal falls between two handlers.
func interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(received{<-signals})
		code := exitInterrupted
		if <-signals == syscall.SIGTERM {
			code = exitTerminated
		}
		os.Exit(code)
	}()
	return ctx
}
