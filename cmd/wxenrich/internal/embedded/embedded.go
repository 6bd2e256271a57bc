// Package embedded runs a JetStream server inside the process: a whole
// deployment on one machine, or the demo's.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// Options says how to run the server.
type Options struct {
	StoreDir string // where the streams are; made if missing
	Listen   string // host:port for other clients; port 0 or -1 is any free one
	// Durable makes every acknowledged write survive a power cut. It costs
	// about ten times the time of a write, and is what a deployment wants.
	Durable bool
}

// ErrLocked means that another process uses the store folder. Two servers on
// one folder would destroy it, and nats-server itself does not look.
var ErrLocked = errors.New("the store folder is in use by another process")

const (
	readyTimeout = 10 * time.Second
	anyPort      = -1
)

// Server is a running server. Stop ends it.
type Server struct {
	nats *server.Server
	lock *flock.Flock
}

// Start runs a server and waits until it takes connections.
func Start(o Options) (*Server, error) {
	host, port, err := address(o.Listen)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.StoreDir, 0o700); err != nil { // people's data
		return nil, fmt.Errorf("store folder: %w", err)
	}
	lock := flock.New(filepath.Join(o.StoreDir, "wxenrich.lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock of the store folder: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%s: %w", o.StoreDir, ErrLocked)
	}
	// The server itself would try for as long as we wait, and not say why.
	if err := free(o.Listen); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS server: %w", err), lock.Unlock())
	}
	s := &Server{lock: lock}
	s.nats, err = server.NewServer(&server.Options{
		ServerName: "wxenrich",
		Host:       host,
		Port:       port,
		JetStream:  true,
		StoreDir:   o.StoreDir,
		SyncAlways: o.Durable,
		NoSigs:     true,
		NoLog:      true,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS server: %w", err), lock.Unlock())
	}
	s.nats.Start()
	if !s.nats.ReadyForConnections(readyTimeout) {
		s.Stop()
		return nil, fmt.Errorf("embedded NATS server: not ready after %s", readyTimeout)
	}
	if !s.nats.JetStreamEnabled() {
		s.Stop()
		return nil, fmt.Errorf("embedded NATS server: JetStream did not start in %s", o.StoreDir)
	}
	return s, nil
}

// NATS is what an in-process connection is made from.
func (s *Server) NATS() *server.Server { return s.nats }

// URL is where other clients find the server.
func (s *Server) URL() string { return s.nats.ClientURL() }

// Stop writes everything down, ends the server and frees the folder.
func (s *Server) Stop() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	_ = s.lock.Unlock() // the process's end frees it in any case
}

// free reports why nobody can listen there.
func free(listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	return l.Close()
}

func address(listen string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: %w", listen, err)
	}
	if port, err = strconv.Atoi(p); err != nil {
		return "", 0, fmt.Errorf("listen address %q: %w", listen, err)
	}
	if port == 0 {
		port = anyPort
	}
	return host, port, nil
}
