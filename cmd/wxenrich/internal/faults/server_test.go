//go:build linux

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is a nats-server and its folder, through all its lives. Its ports are
// others in each; links hide that.
type server struct {
	*process
	t       *testing.T
	name    string // in the cluster
	dir     string
	text    string       // of its configuration
	disk    string       // the same
	clients atomic.Value // string: where it takes clients
	routes  atomic.Value // string: where it takes other servers
}

// newServers makes one server, or a cluster, that knows the service by its public
// nkey. They are not started.
func newServers(t *testing.T, n int, user string) []*server {
	t.Helper()
	all := make([]*server, n)
	routes := make([]string, n)
	for i := range all {
		s := &server{t: t, name: fmt.Sprintf("n%d", i+1), dir: t.TempDir()}
		s.clients.Store("")
		s.routes.Store("")
		all[i] = s
		routes[i] = newLink(t, func() string { return s.routes.Load().(string) }).address
	}
	for i, s := range all {
		s.text = fmt.Sprintf("server_name: %s\nlisten: \"127.0.0.1:-1\"\nports_file_dir: %q\n", s.name, s.dir)
		s.text += fmt.Sprintf("authorization {users: [{nkey: %s}, {user: test, password: test}]}\n", user)
		s.capacity("10GB")
		if n > 1 {
			s.text += fmt.Sprintf("cluster {name: faults, listen: \"127.0.0.1:-1\", advertise: %q, no_advertise: true, routes: [\"nats://%s\"]}\n",
				routes[i], strings.Join(routes, `", "nats://`))
		}
	}
	return all
}

// capacity is how much the server's disk holds from its next life on.
func (s *server) capacity(size string) {
	s.disk = fmt.Sprintf("jetstream {store_dir: %q, max_file: %s}\n", s.store(), size)
}

func (s *server) conf() string  { return filepath.Join(s.dir, "nats.conf") }
func (s *server) store() string { return filepath.Join(s.dir, "store") }

// begin starts a life of the server.
func (s *server) begin() {
	s.t.Helper()
	if err := os.WriteFile(s.conf(), []byte(s.text+s.disk), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.process = start(s.t, "nats-server", "nats-server", nil, "-c", s.conf())
	file := filepath.Join(s.dir, fmt.Sprintf("nats-server_%d.ports", s.cmd.Process.Pid))
	deadline := time.Now().Add(patience)
	for {
		var ports struct{ NATS, Cluster []string }
		text, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(text, &ports) == nil && len(ports.NATS) > 0 {
			s.clients.Store(host(ports.NATS))
			s.routes.Store(host(ports.Cluster))
			return
		}
		if s.ends(10*time.Millisecond) || time.Now().After(deadline) {
			s.t.Fatalf("nats-server does not start:\n%s", s.tail(20))
		}
	}
}

// crash ends the life.
func (s *server) crash() {
	s.kill()
	s.clients.Store("")
	s.routes.Store("")
}

// link is a new path to the server.
func (s *server) link() *link {
	return newLink(s.t, func() string { return s.clients.Load().(string) })
}

func host(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	return strings.TrimPrefix(urls[0], "nats://")
}
