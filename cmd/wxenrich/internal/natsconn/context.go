package natsconn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
)

// contextFile finds the file of a context and refuses what the library that
// reads it would silently leave out.
func contextFile(name string) (string, error) {
	path := name
	if !strings.HasSuffix(name, ".json") {
		dir, err := contextDir()
		if err != nil {
			return "", err
		}
		if name != filepath.Base(name) || name == ".." {
			return "", fmt.Errorf("%q cannot name a NATS context", name)
		}
		path = filepath.Join(dir, name+".json")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("NATS context %s: %w", name, err)
	}
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		return "", fmt.Errorf("NATS context %s: %s: %w", name, path, err)
	}
	for _, k := range []string{"user_jwt", "user_seed", "nsc", "windows_cert_store"} {
		if s, _ := keys[k].(string); s != "" {
			return "", fmt.Errorf("NATS context %s uses %s, which wxenrich cannot: use a creds file", name, k)
		}
	}
	for _, k := range []string{"creds", "nkey", "cert", "key", "ca", "password", "token"} {
		if s, _ := keys[k].(string); isReference(s) {
			return "", fmt.Errorf("NATS context %s takes %s from %s, which wxenrich cannot: use a file", name, k, s[:strings.IndexByte(s, ':')])
		}
	}
	return path, nil
}

// isReference recognises the nats CLI's credential URIs.
func isReference(s string) bool {
	for _, p := range []string{"op://", "env://", "file://", "nsc://", "data:"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// contextDir is the nats CLI's own folder.
func contextDir() (string, error) {
	parent := os.Getenv("XDG_CONFIG_HOME")
	if parent == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("NATS context: %w", err)
		}
		parent = filepath.Join(home, ".config")
	}
	return filepath.Join(parent, "nats", "context"), nil
}

// Contexts lists the names of the contexts there are, for completion.
func Contexts() []string {
	dir, err := contextDir()
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return files
}

// over lays settings over a context: after its options, so that they win, and
// with its credentials gone when we bring our own.
func over(s Settings) []nats.Option {
	var opts []nats.Option
	if s.URL != "" {
		opts = append(opts, func(o *nats.Options) error {
			o.Url, o.Servers = "", nil
			for u := range strings.SplitSeq(s.URL, ",") {
				o.Servers = append(o.Servers, strings.TrimSpace(u))
			}
			return nil
		})
	}
	if auth := s.Auth.options(); auth != nil {
		opts = append(opts, func(o *nats.Options) error {
			o.User, o.Password, o.Token, o.Nkey = "", "", "", ""
			o.UserJWT, o.SignatureCB = nil, nil
			return nil
		})
		opts = append(opts, auth...)
	}
	return opts
}

// nobody says whether an attempt failed because no server answered: it may be just
// ending, or there is none behind the balancer that has hung up. It asks for
// *net.OpError, since every syscall.Errno, a missing file's too, is a net.Error.
func nobody(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout)
}
