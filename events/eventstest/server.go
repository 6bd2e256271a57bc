package eventstest

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startTimeout is generous: a server takes milliseconds on an idle machine.
const startTimeout = 20 * time.Second

// Server is a NATS server that lives as long as its test. Its methods fail the
// test instead of returning errors, and are for the test's own goroutine.
type Server struct {
	t      testing.TB
	opts   server.Options
	server atomic.Pointer[server.Server] // nil while stopped; read by connections that reconnect
}

// Option changes how the server is run.
type Option func(*server.Options)

// StoreDir keeps JetStream's store in dir, so that it outlives the test or can
// be looked at by another server later. Two servers at once must not share it:
// nats-server takes no lock.
func StoreDir(dir string) Option { return func(o *server.Options) { o.StoreDir = dir } }

// Port makes the server listen on a port of 127.0.0.1 that the test chooses.
func Port(port int) Option { return func(o *server.Options) { o.Port = port } }

// MaxPayload limits the size of a message, headers included, in bytes.
func MaxPayload(n int32) Option { return func(o *server.Options) { o.MaxPayload = n } }

// SyncAlways makes every acknowledged write survive a power cut, as the server
// of a real deployment should. It is slow.
func SyncAlways() Option { return func(o *server.Options) { o.SyncAlways = true } }

// NewServer starts a server that is stopped when the test ends.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return start(t, append([]Option{StoreDir(t.TempDir())}, opts...))
}

func start(t testing.TB, opts []Option) *Server {
	t.Helper()
	s := &Server{t: t, opts: server.Options{
		ServerName:         "eventstest",
		Host:               "127.0.0.1",
		Port:               server.RANDOM_PORT,
		JetStream:          true,
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  1 << 30,
		NoSigs:             true,
		NoLog:              true,
	}}
	for _, o := range opts {
		o(&s.opts)
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Start starts a stopped server again, on the same port and store. Clients
// that are set to reconnect will find it.
func (s *Server) Start() {
	s.t.Helper()
	if s.server.Load() != nil {
		return
	}
	opts := s.opts // the server writes to its own
	running, err := server.NewServer(&opts)
	if err != nil {
		s.t.Fatalf("eventstest: %v", err)
	}
	running.Start()
	s.server.Store(running)
	if !running.ReadyForConnections(startTimeout) {
		s.t.Fatalf("eventstest: server not ready within %v", startTimeout)
	}
	s.opts.Port = opts.Port
}

// Stop shuts the server down and waits until it has let go of its store. On a
// stopped server it does nothing.
func (s *Server) Stop() {
	running := s.server.Swap(nil)
	if running == nil {
		return
	}
	running.Shutdown()
	running.WaitForShutdown()
}

// Restart is Stop and Start.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// URL is where clients connect to, also after a Restart. A server in a bubble
// has none.
func (s *Server) URL() string {
	s.t.Helper()
	if s.opts.DontListen {
		s.t.Fatal("eventstest: a server in a bubble listens nowhere: connect with nats.InProcessServer(s)")
	}
	running := s.server.Load()
	if running == nil {
		s.t.Fatal("eventstest: URL of a stopped server")
	}
	return running.ClientURL()
}

// InProcessConn is a connection without a socket, also after a Restart: the
// option nats.InProcessServer(s) lets a client use it. It is safe for
// concurrent use.
func (s *Server) InProcessConn() (net.Conn, error) {
	running := s.server.Load()
	if running == nil {
		return nil, errors.New("eventstest: the server is stopped")
	}
	return running.InProcessConn()
}

// Connect makes a connection that is closed when the test ends. It reconnects
// for ever and quickly, unless opts say otherwise.
func (s *Server) Connect(opts ...nats.Option) *nats.Conn {
	s.t.Helper()
	quick := []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(0, 0)}
	var url string
	if s.opts.DontListen {
		quick = append(quick, nats.InProcessServer(s))
	} else {
		url = s.URL()
	}
	nc, err := nats.Connect(url, append(quick, opts...)...)
	if err != nil {
		s.t.Fatalf("eventstest: connect: %v", err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// JetStream is a JetStream context on a connection of its own.
func (s *Server) JetStream(opts ...jetstream.JetStreamOpt) jetstream.JetStream {
	s.t.Helper()
	js, err := jetstream.New(s.Connect(), opts...)
	if err != nil {
		s.t.Fatalf("eventstest: jetstream: %v", err)
	}
	return js
}
