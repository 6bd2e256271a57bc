package wechattest

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the simulated service: an [http.Handler] for httptest.Server, for
// an http.Server, or for the pipes of [Server.Serve].
type Server struct {
	latency Latency
	logSize int

	mu       sync.RWMutex
	accounts map[string]*Account
	owners   map[[tagLen]byte]*Account

	faulty  faultList
	rngMu   sync.Mutex
	rng     *rand.Rand
	nextRID atomic.Uint64
}

// Option changes a [Server].
type Option func(*Server)

// WithSeed seeds the shuffling, the faults and the latency; the default is 1.
func WithSeed(seed uint64) Option {
	return func(s *Server) { s.rng = rand.New(rand.NewPCG(seed, seed)) }
}

// WithLatency lets every call take so long but one with a token that is refused.
// The default is not to wait.
func WithLatency(l Latency) Option { return func(s *Server) { s.latency = l } }

// WithLog sets how many calls each account's log keeps; the default is 1,000.
func WithLog(calls int) Option { return func(s *Server) { s.logSize = calls } }

// New returns a service without accounts.
func New(opts ...Option) *Server {
	s := &Server{
		logSize:  1000,
		accounts: make(map[string]*Account),
		owners:   make(map[[tagLen]byte]*Account),
		rng:      rand.New(rand.NewPCG(1, 1)),
	}
	for _, o := range opts {
		o(s)
	}
	return s
}

// AddAccount adds an account, or replaces the one of this appid.
func (s *Server) AddAccount(cfg AccountConfig) *Account {
	if cfg.TokenLife == 0 {
		cfg.TokenLife = 7200 * time.Second
	}
	if cfg.Quirks.MaxBatch == 0 {
		cfg.Quirks.MaxBatch = 100
	}
	a := &Account{
		cfg: cfg, secret: cfg.Secret, changed: make(map[uint64]change),
		book: newBook(cfg.AppID), bad: newBook("another account than " + cfg.AppID),
		meter: meter{keep: s.logSize},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[cfg.AppID] = a
	s.owners[a.book.tag] = a
	return a
}

// Account returns an account, nil for an unknown appid.
func (s *Server) Account(appid string) *Account {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.accounts[appid]
}

// tokenOwner returns the account that a token was made for, if any.
func (s *Server) tokenOwner(value string) *Account {
	if len(value) < len(tokenPrefix)+tagLen || value[:len(tokenPrefix)] != tokenPrefix {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.owners[[tagLen]byte([]byte(value[len(tokenPrefix):][:tagLen]))]
}

// random calls f with the server's generator, which is not safe by itself.
func (s *Server) random(f func(*rand.Rand)) {
	s.rngMu.Lock()
	defer s.rngMu.Unlock()
	f(s.rng)
}

// ServeHTTP answers the API below /cgi-bin/ and the simulator's own controls
// below /_sim/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.admin(w, r)
		return
	}
	x := &exchange{srv: s, req: r, now: time.Now(), endpoint: strings.TrimPrefix(r.URL.Path, "/cgi-bin/")}
	rep := x.answer()
	x.leave(rep)
	s.send(w, r, x.tail(rep))
}
