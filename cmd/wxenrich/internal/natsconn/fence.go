package natsconn

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A process may stand still in the middle of anything: a debugger, a SIGSTOP, a
// virtual machine that is suspended. What it was about to send leaves when it
// goes on, an hour later as if nothing had happened, and for an answer that is
// too late: somebody else has given it, and the stream has forgotten its id.
//
// A fence makes that a broken connection instead. It looks at the clocks right
// before each write; once they have jumped, nothing is written to a connection
// that was made before. Whoever publishes is told, and looks first.
type fence struct {
	through nats.CustomDialer
	now     func() time.Time

	mu   sync.Mutex
	jump time.Time // when the latest was noticed
}

const (
	// longestStall is how long a process may stand still and go on as if it had
	// not: less than it takes until its events go to somebody else.
	longestStall = 2 * time.Second
	// pulseEvery is how often the clocks are looked at without a write.
	pulseEvery = 500 * time.Millisecond
	// afterStall is the least time between a jump and the next connection: who
	// had made sure before it that nobody has answered finds none to write to.
	afterStall = time.Second
)

var errStoodStill = errors.New("the process stood still: what was to be sent may be known by now")

// fenced puts a fence before whatever dials.
func fenced(o *nats.Options) error {
	through := o.CustomDialer
	if through == nil {
		through = &net.Dialer{Timeout: o.Timeout}
	}
	o.CustomDialer = &fence{through: through, now: time.Now}
	return nil
}

// SkipTLSHandshake passes on what the dialer behind says.
func (f *fence) SkipTLSHandshake() bool {
	d, ok := f.through.(interface{ SkipTLSHandshake() bool })
	return ok && d.SkipTLSHandshake()
}

func (f *fence) Dial(network, address string) (net.Conn, error) {
	f.mu.Lock()
	wait := afterStall - elapsed(f.jump, f.now())
	f.mu.Unlock()
	if wait > 0 && wait <= afterStall {
		time.Sleep(wait)
	}
	inner, err := f.through.Dial(network, address)
	if err != nil {
		return nil, err
	}
	c := &fencedConn{Conn: inner, fence: f, seen: f.now(), closed: make(chan struct{})}
	go c.pulse()
	return c, nil
}

// fencedConn is a connection that ends when the process stands still.
type fencedConn struct {
	net.Conn
	fence *fence

	mu    sync.Mutex
	seen  time.Time // the process ran then
	stood bool      // it did not for too long, since the connection was made

	once   sync.Once
	closed chan struct{}
}

// Write leaves nothing but a few instructions between the look at the clocks
// and the system call.
func (c *fencedConn) Write(b []byte) (int, error) {
	if c.stalled() {
		_ = c.Close() // the reader finds out
		return 0, errStoodStill
	}
	return c.Conn.Write(b)
}

func (c *fencedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// pulse looks at the clocks while nothing is written.
func (c *fencedConn) pulse() {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.closed:
			return
		case <-tick.C:
			if c.stalled() {
				_ = c.Close()
				return
			}
		}
	}
}

// stalled notes that the process runs, and reports whether there was a time
// when it did not.
func (c *fencedConn) stalled() bool {
	now := c.fence.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if elapsed(c.seen, now) > longestStall {
		c.stood = true
		c.fence.mu.Lock()
		c.fence.jump = now
		c.fence.mu.Unlock()
	}
	c.seen = now
	return c.stood
}

// elapsed is the time between, by the clock that says more: one of them stands
// still while a machine is suspended.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
