package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Program is how a child is started: this binary, and what to add to its
// environment.
type Program struct {
	Path    string
	Environ []string
}

// Profiles are the files for what pprof says of the service; empty for none.
type Profiles struct {
	CPU    string // where its processor time goes
	Memory string // what it has allocated, and what it held when it collected garbage last
}

// Usage is what a child says of itself at its end.
type Usage struct {
	Mallocs uint64 `json:"mallocs"` // objects allocated
	Bytes   uint64 `json:"bytes"`   // bytes allocated
}

// A child is a process. It ends when its standard input does, so that none is
// left when we are killed.
type child struct {
	cmd    *exec.Cmd
	in     io.Closer
	up     chan string // what it has printed once it was up
	usage  chan Usage
	errors string        // the file with its standard error
	before time.Duration // what it had spent when the load began
}

// childPatience is how long a child may take to be up, or to end.
const childPatience = time.Minute

// start runs a command of the program and waits for a line that contains up; it
// returns that line.
func (p *Program) start(ctx context.Context, dir, up string, profiles Profiles, args ...string) (*child, string, error) {
	name := args[0]
	c := &child{up: make(chan string, 1), usage: make(chan Usage, 1), errors: filepath.Join(dir, name+".err")}
	file, err := os.Create(c.errors)
	if err != nil {
		return nil, "", err
	}
	defer file.Close() // the child has its own
	c.cmd = exec.Command(p.Path, append([]string{"bench", "child", "--cpuprofile", profiles.CPU, "--memprofile", profiles.Memory, "--"}, args...)...)
	c.cmd.Env, c.cmd.Stderr = p.Environ, file
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, "", err
	}
	go c.read(out, up)
	if up == "" {
		return c, "", nil
	}
	select {
	case line := <-c.up:
		return c, line, nil
	case <-c.usage:
		return nil, "", c.failed(name + " ended at once")
	case <-time.After(childPatience):
		c.kill()
		return nil, "", c.failed(name + " does not start")
	case <-ctx.Done():
		c.kill()
		return nil, "", context.Cause(ctx)
	}
}

// read reads what a child prints; the last line is its usage.
func (c *child) read(out io.Reader, up string) {
	last := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		if up != "" && strings.Contains(last, up) {
			c.up <- last
			up = ""
		}
	}
	var u Usage
	_ = json.Unmarshal([]byte(last), &u) // one that was killed has said nothing
	c.usage <- u
}

// gone reports whether a child has ended that was not told to.
func (c *child) gone() bool { return len(c.usage) > 0 }

// anyGone is an error if one of them is.
func anyGone(workers []*child) error {
	for _, k := range workers {
		if k.gone() {
			return k.failed("a process has ended")
		}
	}
	return nil
}

// failed is an error with the last that the child has said of it.
func (c *child) failed(what string) error {
	const enough = 1000
	said, _ := os.ReadFile(c.errors)
	return fmt.Errorf("%s: %s", what, strings.TrimSpace(string(said[max(0, len(said)-enough):])))
}

// spent is what a child has cost.
type spent struct {
	Usage
	cpu    time.Duration
	memory int64         // bytes at its peak; 0 where the system does not say
	took   time.Duration // from SIGTERM to its end
}

// stop ends a child as an administrator does.
func (c *child) stop() (s spent, err error) {
	s.memory = PeakMemory(c.cmd.Process.Pid)
	began := time.Now()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case s.Usage = <-c.usage: // it has printed its last
	case <-time.After(childPatience):
		c.kill()
		return s, c.failed("a process does not end")
	}
	err = c.cmd.Wait()
	s.took = time.Since(began)
	if err != nil {
		return s, c.failed(err.Error())
	}
	s.cpu = c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime() - c.before
	return s, nil
}

// begin has what a child has spent until now not count: the load begins.
func (c *child) begin() { c.before = spentUntilNow(c.cmd.Process.Pid) }

// kill ends a child whose figures nobody wants.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// PeakMemory is the most resident memory that a process has had, where /proc says
// it. That of the resource usage would count what we had when it was forked.
func PeakMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// spentUntilNow is the processor time of a process, where /proc says it.
func spentUntilNow(pid int) time.Duration {
	const tick = 10 * time.Millisecond // the kernel's unit there, USER_HZ, on every Linux that Go runs on
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, behind, _ := strings.Cut(string(text), ") ") // the program's name
	fields := strings.Fields(behind)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}
