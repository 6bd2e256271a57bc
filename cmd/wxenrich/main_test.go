package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
)

// TestMain lets the test binary be the program, or one that ignores the first
// signal, so that signals can be sent to a process of its own.
func TestMain(m *testing.M) {
	switch os.Getenv("BE") {
	case "wxenrich":
		main()
	case "tended":
		tended()
		os.Exit(0)
	case "stubborn":
		ctx := interruptible(context.Background())
		fmt.Println("up")
		<-ctx.Done()
		fmt.Println("first")
		select {}
	}
	if len(os.Args) > 1 && os.Args[1] == "bench" { // by a benchmark whose environment lacks BE: all tests again, and it among them
		fmt.Fprintln(os.Stderr, "this is a test binary")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// child runs the test binary as something else and waits until it is up.
func child(t *testing.T, be, up string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "BE="+be, "GORACE=atexit_sleep_ms=0") // a race build sleeps a second otherwise
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	for in.Scan() && !strings.Contains(in.Text(), up) {
	}
	return c, in
}

func code(err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	return 0
}

func TestFirstSignalEndsGracefully(t *testing.T) {
	t.Parallel()
	c, _ := child(t, "wxenrich", "until interrupted", "simulate", "--listen", "127.0.0.1:0")
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

func TestInterruptedIs130(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	c := exec.CommandContext(t.Context(), os.Args[0], "publish", "--appid", testAppID, "--server", w.nats.URL())
	c.Env = []string{"BE=wxenrich"}
	var errs strings.Builder
	c.Stderr = &errs
	in, err := c.StdinPipe() // stays open: publish waits for more
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(in, w.account.OpenID(0)); err != nil {
		t.Fatal(err)
	}
	for len(stored(t, w.nats.JetStream())) == 0 {
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := code(c.Wait()); got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
	if id := stored(t, w.nats.JetStream())[0].Headers().Get(events.HeaderMsgID); !strings.Contains(errs.String(), "1 events are stored; to go on behind them: the same command with --go-on "+strings.TrimSuffix(id, "1")+"2\n") {
		t.Errorf("of %s it says: %s", id, errs.String())
	}
}

// To be interrupted is how a watch ends, not how it fails.
func TestInterruptEndsAWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.streams(t)
	c, _ := child(t, "wxenrich", "no durable", "status", "--watch", "--config", strings.TrimPrefix(w.environ[0], "WXENRICH_CONFIG="))
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// Whatever waits reports why it was told to stop.
func TestSignalIsACancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(received{os.Interrupt})
	var errs strings.Builder
	if code := report(ctx, fmt.Errorf("reading: %w", context.Cause(ctx)), term.Screen{Writer: &errs}); code != exitInterrupted || errs.String() != "wxenrich: interrupted\n" {
		t.Errorf("exit code %d: %s", code, &errs)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for sig, want := range map[os.Signal]int{os.Interrupt: exitInterrupted, syscall.SIGTERM: exitTerminated} {
		c, out := child(t, "stubborn", "up")
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		for out.Scan() && out.Text() != "first" {
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if got := code(c.Wait()); got != want {
			t.Errorf("%v: exit code %d, want %d", sig, got, want)
		}
	}
}
