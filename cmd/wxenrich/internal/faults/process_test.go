//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// process is a running program. Whoever starts one need not end it: the end of
// the test does.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  string        // file with all that it has printed
	done chan struct{} // closed once it has ended
}

// start runs one of the programs that build makes.
func start(t *testing.T, name, program string, environ []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, done: make(chan struct{}), out: filepath.Join(t.TempDir(), name+".log")}
	file, err := os.Create(p.out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // the child has its own
	p.cmd = exec.Command(filepath.Join(binaries, program), args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = environ, file, file
	// A group of its own, so that a Ctrl-C is the test's alone; and the kernel
	// ends it if the test dies without its cleanups, as by -timeout.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// What anybody on the machine can read.
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid)); err == nil {
		hides(t, name+"'s command line", text)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		hides(t, name+"'s log", p.printed())
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", p.name, p.tail(25))
		}
	})
	return p
}

// signal sends one; a process that has ended takes none.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends it as a crash or the kernel does.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// patience is how long anything may take that has to happen in the end: long
// enough for a machine that is busy with other things.
const patience = 3 * time.Minute

// stop asks it to end, and fails the test unless it does so in good order.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if !p.ends(patience) {
		p.t.Fatalf("%s does not end when it is asked to", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s ended with code %d", p.name, code)
	}
}

// ends reports whether it ends within a time.
func (p *process) ends(within time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(within):
		return false
	}
}

// killed reports whether it ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// printed is all that it has printed.
func (p *process) printed() []byte {
	text, err := os.ReadFile(p.out)
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// tail is the last lines that it has printed.
func (p *process) tail(lines int) []byte {
	text := bytes.TrimSpace(p.printed())
	for at := len(text); ; lines-- {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 || lines == 1 {
			return text[at+1:]
		}
	}
}
