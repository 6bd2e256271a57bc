package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// reloadingTLS serves the certificate in two files, and reads them again when
// they have changed: certificates last a few weeks nowadays.
func reloadingTLS(cert, key string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// certificate is safe for concurrent use.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // held for two small files' reads
	loaded  *tls.Certificate
	changed time.Time // of the certificate's file when it was read
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if info, err := os.Stat(c.cert); err == nil && !info.ModTime().Equal(c.changed) {
		if err := c.load(); err != nil { // half of a new pair may be there already
			c.log.Warn("the new certificate cannot be used; the old one is served", slog.Any("error", err))
		}
	}
	return c.loaded, nil
}

// load needs the lock, but for the first time.
func (c *certificate) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.loaded, c.changed = &pair, info.ModTime()
	}
	return err
}
