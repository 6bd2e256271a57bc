package pipeline_test

import (
	"errors"
	"net"
	"sync"

	"github.com/wxenrich/wxenrich/events/eventstest"
)

// A link is one replica's way to the server, which a test can cut, at once or
// after so many bytes, and stop for a while.
type link struct {
	server *eventstest.Server

	mu    sync.Mutex
	conns []*linkConn
	down  bool
	fuse  int           // bytes to the server until it is cut; 0: it is not
	gate  chan struct{} // nil, or until it is closed nothing passes
}

func newLink(s *eventstest.Server) *link { return &link{server: s} }

// InProcessConn is a connection through the link; see nats.InProcessServer.
func (l *link) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errors.New("the link is cut")
	}
	c, err := l.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	lc := &linkConn{Conn: c, link: l}
	l.conns = append(l.conns, lc)
	return lc, nil
}

// cut ends all connections, and refuses new ones until mend.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sever()
}

func (l *link) sever() {
	l.down, l.fuse = true, 0
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// cutAfter cuts the link when another n bytes have gone to the server; n > 0.
func (l *link) cutAfter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		l.fuse = n
	}
}

// stop lets nothing pass either way until the returned function is called.
func (l *link) stop() (resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = make(chan struct{})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(l.gate)
		l.gate = nil
		for _, c := range l.conns {
			_, _ = c.pass(c.late)
			c.late = nil
		}
	}
}

// linkConn is a connection through a link.
type linkConn struct {
	net.Conn
	link *link
	late []byte // written while the link was stopped, as into a socket's buffer
}

func (c *linkConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.link.mu.Lock()
	gate := c.link.gate
	c.link.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return n, err
}

// Write never waits for a stopped link: the client writes under its lock, and
// who waits for a lock stops a bubble's clock.
func (c *linkConn) Write(p []byte) (int, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.link.gate != nil {
		c.late = append(c.late, p...)
		return len(p), nil
	}
	return c.pass(p)
}

// pass passes bytes on, up to where the link is to be cut.
func (c *linkConn) pass(p []byte) (int, error) {
	l := c.link
	if l.fuse == 0 {
		return c.Conn.Write(p)
	}
	if l.fuse > len(p) {
		l.fuse -= len(p)
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:l.fuse])
	l.sever()
	return n, net.ErrClosed
}
