package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/gateway/spool"
	"github.com/wxenrich/wxenrich/wechat/push"
)

// Account is one Official Account that WeChat pushes for.
type Account struct {
	Receiver   *push.Receiver
	OriginalID string // its gh_ id; may be empty
	// Events and Messages are subjects with {appid} and {type}, which is the
	// Event or the MsgType. Zero Messages are answered and dropped.
	Events, Messages events.Template
}

// Publisher is where pushes are stored: a jetstream.JetStream and its
// connection, which should have no reconnect buffer, so that a publish fails
// while it is down.
type Publisher interface {
	PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error)
	IsConnected() bool
}

// Config is what a gateway needs. Only Accounts, Path and JS have to be there.
type Config struct {
	Accounts    []Account // at first: see SetAccounts
	Path        string    // begins with a slash
	JS          Publisher
	Timeout     time.Duration // from a push's first byte to the answer; below WeChat's 5 s. Default 4.5 s
	MaxBody     int64         // bytes. Default 256 KiB
	MaxInFlight int           // pushes at a time; the rest is answered 503. Default 5,000
	Rate        float64       // pushes a second that are taken for one account; the rest is answered 429. 0 is unlimited

	// Spool, if there is one, takes pushes while JS does not; Run stores them
	// later. The gateway does not close it.
	Spool *spool.Spool
	// Look calls visit with the message ids that were stored on a subject since a
	// time. Of a push that stayed in the spool for longer than Window, how long
	// the streams know a repeat by its id, it tells whether it was stored before
	// it got there. Nil never looks.
	Look   func(ctx context.Context, subject string, since time.Time, visit func(id string)) error
	Window func() time.Duration // default 2 minutes, which is nats-server's own

	Log    *slog.Logger         // default none
	Meter  metric.Meter         // default none
	Tracer trace.TracerProvider // default otel's global one
}

// The defaults of Config.
const (
	DefaultTimeout     = 4500 * time.Millisecond
	DefaultMaxBody     = 256 << 10
	DefaultMaxInFlight = 5000
	DefaultWindow      = 2 * time.Minute
)

// Gateway takes pushes. It is safe for concurrent use.
type Gateway struct {
	cfg      Config
	roster   atomic.Pointer[roster]
	changing sync.Mutex // of the roster
	mux      *http.ServeMux
	inFlight chan struct{}
	metrics  *metrics
	tracer   trace.Tracer
	quiet    quiet
}

// New checks the configuration.
func New(cfg Config) (*Gateway, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	if cfg.Window == nil {
		cfg.Window = func() time.Duration { return DefaultWindow }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Meter == nil {
		cfg.Meter = noop.Meter{}
	}
	if cfg.Tracer == nil {
		cfg.Tracer = otel.GetTracerProvider()
	}
	switch {
	case len(cfg.Accounts) == 0:
		return nil, errors.New("gateway: no accounts")
	case cfg.JS == nil:
		return nil, errors.New("gateway: nowhere to publish to")
	case cfg.Timeout < 0 || cfg.MaxBody < 0 || cfg.MaxInFlight < 0 || cfg.Rate < 0:
		return nil, errors.New("gateway: a limit is negative")
	case !strings.HasPrefix(cfg.Path, "/") || strings.ContainsAny(cfg.Path, "{} \t"):
		return nil, fmt.Errorf("gateway: path %q: want one such as /wechat", cfg.Path)
	}
	g := &Gateway{
		cfg: cfg, inFlight: make(chan struct{}, cfg.MaxInFlight),
		tracer: cfg.Tracer.Tracer("github.com/wxenrich/wxenrich/pipeline/gateway"),
	}
	err := g.SetAccounts(cfg.Accounts)
	if err != nil {
		return nil, err
	}
	if g.metrics, err = newMetrics(cfg.Meter, cfg.Spool); err != nil {
		return nil, err
	}
	root := strings.TrimSuffix(cfg.Path, "/")
	g.mux = http.NewServeMux()
	for _, path := range []string{root + "/{$}", root + "/{appid}"} {
		g.mux.HandleFunc("GET "+path, g.verify)
		g.mux.HandleFunc("POST "+path, g.push)
	}
	if root != "" { // without the slash at its end: the one that is in the console
		g.mux.HandleFunc("GET "+root, g.verify)
		g.mux.HandleFunc("POST "+root, g.push)
	}
	return g, nil
}

// ServeHTTP answers WeChat.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff") // echostr comes from outside
	w.Header().Set("Cache-Control", "no-store")
	g.mux.ServeHTTP(w, r)
}

// account is the one that the path names; nil at the path of all, and an
// error where there is none of that name.
func (r *roster) account(req *http.Request) (*Account, error) {
	if appid := req.PathValue("appid"); appid != "" {
		if a := r.byAppID[appid]; a != nil {
			return a, nil
		}
		return nil, refuse(unknownAccount, "the path names an account that is not configured")
	}
	if len(r.all) == 1 {
		return &r.all[0], nil
	}
	return nil, nil
}
