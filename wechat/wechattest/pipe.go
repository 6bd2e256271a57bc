package wechattest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// Serve serves over in-memory pipes, with net/http's real client and server on
// either end. The transport reaches the server whatever the host of the URL
// (the scheme has to be http); stop ends both and returns when they have ended.
// Pipes, unlike sockets, keep the clock of a testing/synctest bubble going.
func (s *Server) Serve() (rt *http.Transport, stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	rt = &http.Transport{DialContext: l.dial, MaxIdleConnsPerHost: 256}
	return rt, func() {
		rt.CloseIdleConnections()
		srv.Close()
		wg.Wait()
	}
}

type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
