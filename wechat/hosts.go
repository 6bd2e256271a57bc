package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Hosts are the addresses at which one API answers. Calls go to the first; when
// one fails below the errcode (no connection, TLS, reset, time-out, a status of
// 3xx or 5xx, a body that is not JSON) the calls after it go to the next. The
// failed call is not repeated, that is for the caller to decide. After 30 s, and
// then after pauses that double up to 5 minutes, one call at a time tries the
// first host again.
//
// A [Client] and [Tokens] that share one Hosts share what is known of them. It
// may be used by any number of goroutines.
type Hosts struct {
	all      []host
	onChange func(HostChange)

	mu       sync.Mutex
	failover failover
}

// HostChange says that calls are answered by another host than before.
type HostChange struct {
	From, To string // host and perhaps port
	Err      error  // how From failed; nil when the first host answers again
}

type host struct {
	base   string // scheme, host and perhaps a path, with no slash at its end
	name   string // host and perhaps port
	server []attribute.KeyValue
	cause  error // why it was left last; under the mutex
}

// NewHosts returns the hosts of these base URLs, each as [Config].BaseURL.
// onChange is called after the first call that another host answers, by its
// goroutine; it may be nil.
func NewHosts(onChange func(HostChange), baseURLs ...string) (*Hosts, error) {
	if len(baseURLs) == 0 {
		return nil, errors.New("wechat: no host")
	}
	h := &Hosts{onChange: onChange, failover: failover{n: len(baseURLs)}}
	for i, base := range baseURLs {
		one, err := parseHost(base)
		if err != nil {
			return nil, fmt.Errorf("wechat: host %d: %w", i+1, err)
		}
		h.all = append(h.all, one)
	}
	return h, nil
}

func parseHost(base string) (host, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The URL itself is not shown: whoever put a password in it did not mean it to be.
		return host{}, errors.New("want http(s)://host[:port][/path] with no user, query or fragment")
	}
	h := host{base: strings.TrimRight(base, "/"), name: u.Host}
	h.server = append(h.server, semconv.ServerAddress(u.Hostname()))
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err == nil {
		h.server = append(h.server, semconv.ServerPort(n))
	}
	return h, nil
}

// choose takes the host of a call that begins now.
func (h *Hosts) choose(now time.Time) (choice, *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.failover.choose(now)
	return c, &h.all[c.host]
}

// ended takes the end of a call. ctx is the caller's: if that has ended, the
// host is not to blame.
func (h *Hosts) ended(ctx context.Context, c choice, err error, now time.Time) {
	v := judge(ctx, err)
	h.mu.Lock()
	if v == failed && c.turn == h.failover.turn && !c.probe {
		h.all[c.host].cause = err
	}
	from, moved := h.failover.ended(c, v, now)
	change := HostChange{From: h.all[from].name, To: h.all[c.host].name}
	if c.host != 0 {
		change.Err = h.all[from].cause
	}
	h.mu.Unlock()
	if moved && h.onChange != nil {
		h.onChange(change)
	}
}

func judge(ctx context.Context, err error) verdict {
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil, ok && e.Code != 0:
		return answered
	case ok && e.Class == Transient && ctx.Err() == nil:
		return failed
	}
	return undecided
}
