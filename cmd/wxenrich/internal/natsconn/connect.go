package natsconn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/natscontext"
)

const (
	// InboxPrefix lets an administrator allow our replies and nobody else's. A
	// user that shares it with others hears theirs: see Settings.Inbox.
	InboxPrefix = "_INBOX_wxenrich"

	// dialTimeout is for one server: long enough for another continent, short
	// enough for somebody who forgot to start one.
	dialTimeout = 2 * time.Second

	// pingEvery and maxPings find a server that hangs, or a network that swallows
	// everything, within six seconds: the client's own default takes minutes, and
	// until then the service would say that it is ready.
	pingEvery = 2 * time.Second
	maxPings  = 2

	// firstWait and longestWait pace a service that starts before its server.
	firstWait   = 100 * time.Millisecond
	longestWait = 2 * time.Second
)

// Conn is a connection that knows why the server refused something.
type Conn struct {
	*nats.Conn

	domain, apiPrefix string // of the context
	violation         atomic.Pointer[error]
	deaf              atomic.Bool // the violation is that we listen for replies
}

// NoServerError means that nobody answered, as opposed to: refused us.
type NoServerError struct {
	Where string
	Err   error
}

func (e *NoServerError) Error() string {
	return fmt.Sprintf("no NATS server at %s: %v", e.Where, e.Err)
}
func (e *NoServerError) Unwrap() error { return e.Err }

// Connect connects under a name that the server's monitoring shows. Without
// Settings.Wait it fails within a few seconds, with a NoServerError when nobody
// answers; with it, it waits for a server until ctx ends.
func Connect(ctx context.Context, s Settings, name string) (*Conn, error) {
	return connect(ctx, s, name)
}

// ConnectPublisher is Connect for answers, none of which may leave hours late.
// Without a reconnect buffer a publish fails while the connection is down; and
// the connection breaks when the process has stood still. The latter is not for
// an embedded server, which stands still with it.
func ConnectPublisher(ctx context.Context, s Settings, name string) (*Conn, error) {
	return connect(ctx, s, name, nats.ReconnectBufSize(-1), fenced)
}

func connect(ctx context.Context, s Settings, name string, more ...nats.Option) (*Conn, error) {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		c, err := attempt(s, name, more)
		gone, absent := errors.AsType[*NoServerError](err)
		if !absent || !s.Wait {
			return c, err
		}
		s.Log.Warn("waiting for NATS", "server", gone.Where, "error", gone.Err)
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

func attempt(s Settings, name string, more []nats.Option) (*Conn, error) {
	c := new(Conn)
	opts := append(c.options(s, name), more...)
	var err error
	switch {
	case s.InProcess != nil:
		c.Conn, err = nats.Connect("", append(opts, nats.InProcessServer(s.InProcess))...)
	case s.Context != "":
		var path string
		if path, err = contextFile(s.Context); err != nil {
			return nil, err
		}
		var ctx natscontext.Settings
		c.Conn, ctx, err = natscontext.Connect(path, append(opts, over(s)...)...)
		c.domain, c.apiPrefix = ctx.JSDomain, ctx.JSAPIPrefix
	default:
		if s.URL == "" {
			s.URL = DefaultURL
		}
		c.Conn, err = nats.Connect(s.URL, append(opts, s.Auth.options()...)...)
	}
	switch {
	case err == nil:
		return c, nil
	case nobody(err):
		return nil, &NoServerError{s.Where(), err}
	default:
		if _, unreadable := errors.AsType[*url.Error](err); unreadable { // it repeats what may hold a password
			err = errUnreadable
		}
		return nil, fmt.Errorf("connect to NATS at %s: %w", s.Where(), err)
	}
}

var errUnreadable = errors.New("that is not a URL: want one such as nats://127.0.0.1:4222, and in a password other signs as %2F for a slash")

// options are those of every connection.
func (c *Conn) options(s Settings, name string) []nats.Option {
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(dialTimeout),
		nats.MaxReconnects(-1),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(maxPings),
		s.inboxPrefix,
		nats.ErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.violated(err, nc.Opts.InboxPrefix)
			}
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			s.Log.Warn("NATS", "error", err, "subject", subject)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				s.Log.Warn("NATS connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			s.Log.Info("NATS connection is back", "server", nc.ConnectedUrlRedacted())
		}),
	}
	if s.TLS.CA != "" {
		opts = append(opts, nats.RootCAs(s.TLS.CA))
	}
	if s.TLS.Cert != "" {
		opts = append(opts, nats.ClientCert(s.TLS.Cert, s.TLS.Key))
	}
	return opts
}

// options is none when nothing is said, which leaves a URL's user in force.
func (a Auth) options() []nats.Option {
	switch {
	case a.Creds != "":
		return []nats.Option{nats.UserCredentials(a.Creds)}
	case a.NKey != "":
		return []nats.Option{func(o *nats.Options) error {
			opt, err := nats.NkeyOptionFromSeed(a.NKey)
			if err != nil {
				return fmt.Errorf("nkey file %s: %w", a.NKey, err)
			}
			return opt(o)
		}}
	case a.Token != "":
		return []nats.Option{nats.Token(a.Token)}
	case a.User != "":
		return []nats.Option{nats.UserInfo(a.User, a.Password)}
	}
	return nil
}

// inboxPrefix leaves a context's own prefix in force, unless another is asked
// for: its user may be allowed no other.
func (s *Settings) inboxPrefix(o *nats.Options) error {
	return nats.CustomInboxPrefix(cmp.Or(s.Inbox, o.InboxPrefix, InboxPrefix))(o)
}

// JetStream is a JetStream handle in the context's domain.
func (c *Conn) JetStream(opts ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
	switch {
	case c.domain != "":
		return jetstream.NewWithDomain(c.Conn, c.domain, opts...)
	case c.apiPrefix != "":
		return jetstream.NewWithAPIPrefix(c.Conn, c.apiPrefix, opts...)
	}
	return jetstream.New(c.Conn, opts...)
}

// violated keeps the last violation. None that comes later explains more than
// that replies are not heard.
func (c *Conn) violated(err error, inbox string) {
	switch {
	case strings.Contains(err.Error(), `Subscription to "`+inbox+"."):
		c.deaf.Store(true)
		err = fmt.Errorf("no reply is heard, --inbox-prefix or nats.inbox_prefix names the user's inbox: %w", err)
	case c.deaf.Load():
		return
	}
	c.violation.Store(&err)
}

// Explain adds the last permission violation to the error of a request that
// timed out: the server does not answer what it does not allow.
func (c *Conn) Explain(err error) error {
	v := c.violation.Load()
	if v == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) {
		return err
	}
	return fmt.Errorf("%w: %w", err, *v)
}
