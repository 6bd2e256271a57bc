//go:build linux

package faults

import (
	"net"
	"sync"
	"testing"
)

// link is a network path to a server: a TCP proxy. Its address stays while the
// server behind it goes and comes back elsewhere.
type link struct {
	address string
	target  func() string // where the server is now; empty while it is nowhere

	gate sync.RWMutex // taken for writing while nothing gets through
	wg   sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

func newLink(t *testing.T, target func() string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{address: listener.Addr().String(), target: target, open: map[net.Conn]struct{}{}}
	l.wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.sever()
		l.wg.Wait()
	})
	return l
}

// carry serves one connection to its end.
func (l *link) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.target())
	if err != nil {
		return // nobody is there: the client sees its connection end
	}
	defer server.Close()
	if !l.add(client, server) {
		return
	}
	defer l.remove(client, server)
	var wg sync.WaitGroup
	pump := func(to, from net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			l.gate.RLock()
			if err == nil {
				_, err = to.Write(buf[:n])
			}
			l.gate.RUnlock()
			if err != nil { // io.EOF too: NATS closes both ways at once
				_, _ = to.Close(), from.Close()
				return
			}
		}
	}
	wg.Go(func() { pump(server, client) })
	wg.Go(func() { pump(client, server) })
	wg.Wait()
}

func (l *link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.open[c] = struct{}{}
	}
	return !l.closed
}

func (l *link) remove(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.open, c)
	}
}

// cut lets nothing through, and tells nobody, until mend.
func (l *link) cut()  { l.gate.Lock() }
func (l *link) mend() { l.gate.Unlock() }

// sever ends every connection.
func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}
