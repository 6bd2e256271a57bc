package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/pipeline"
)

// admin is the listener for probes and metrics. It shows which accounts there
// are and how they fare, but nobody's openid.
type admin struct {
	server   *http.Server
	listener net.Listener
	done     chan error
}

// startAdmin listens as the configuration says; lanes is asked anew at each
// request, and gives none while there are none yet.
func startAdmin(c config.HTTP, metrics prometheus.Gatherer, lanes func() []*pipeline.Lane, wrong func() trouble, log *slog.Logger) (*admin, error) {
	ready := func(w http.ResponseWriter, r *http.Request) {
		readyz(w, lanes(), wrong(), r.URL.Query().Get("exclude") == "holds")
	}
	return serveAdmin(c.Listen, "http.listen", c.TokenFile, metrics, ready, log)
}

// serveAdmin listens on addr, which the configuration's key says. tokenFile
// may be empty.
func serveAdmin(addr, key, tokenFile string, metrics prometheus.Gatherer, ready http.HandlerFunc, log *slog.Logger) (*admin, error) {
	guard, err := newGuard(tokenFile)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", guard.details(ready))
	mux.Handle("GET /metrics", guard.all(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})))
	return listen(addr, key, mux, "probes and metrics", log)
}

// listen serves h on addr, which the configuration's key says; what is for the log.
func listen(addr, key string, h http.Handler, what string, log *slog.Logger) (*admin, error) {
	a := &admin{done: make(chan error, 1)}
	var err error
	if a.listener, err = net.Listen("tcp", addr); err != nil {
		return nil, failed("%s: %w", key, err).hint("another process has it: set %s to another address, or to \"\" for none", key)
	}
	a.server = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { a.done <- a.server.Serve(a.listener) }()
	log.Info(what, slog.String("address", "http://"+a.listener.Addr().String()))
	return a, nil
}

// stop ends the listener and waits for it.
func (a *admin) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = a.server.Shutdown(ctx) // a scrape that is cut short is nobody's loss
	<-a.done
}

// laneReport is what /readyz says of one account.
type laneReport struct {
	AppID  string         `json:"appid"`
	Ready  bool           `json:"ready"`
	Phase  pipeline.Phase `json:"phase"`
	Reason string         `json:"reason,omitempty"`
	Hint   string         `json:"hint,omitempty"`
	Code   int            `json:"errcode,omitempty"`
	RID    string         `json:"rid,omitempty"`
	Since  time.Time      `json:"since,omitzero"`
	Until  time.Time      `json:"next_try,omitzero"`
	Output string         `json:"output,omitempty"`
	WeChat string         `json:"wechat,omitempty"` // it does not answer; that is no reason not to be ready
}

// readyz answers 200 when every account's events are answered, else 503; the
// body says of each what is wrong. With holdsPass an account does not count that
// is on hold, or whose durable is paused: it is so for every replica, and a newer
// one would do no better.
func readyz(w http.ResponseWriter, lanes []*pipeline.Lane, wrong trouble, holdsPass bool) {
	status := http.StatusOK
	if lanes == nil { // it waits for NATS
		status = http.StatusServiceUnavailable
	}
	reports := make([]laneReport, 0, len(lanes))
	for _, l := range lanes {
		s := l.State()
		r := laneReport{AppID: l.AppID(), Ready: s.Ready(), Phase: s.Phase, Reason: s.Reason, Hint: s.Hint, Until: s.Until, Output: s.Output, WeChat: s.WeChat}
		if h := s.Hold; h != nil {
			r.Reason, r.Hint, r.Code, r.RID, r.Since, r.Until = h.Reason, h.Hint, h.Code, h.RID, h.Since, h.Until
		}
		if !r.Ready && !(holdsPass && (s.Hold != nil || s.Phase == pipeline.Paused)) {
			status = http.StatusServiceUnavailable
		}
		reports = append(reports, r)
	}
	for _, appid := range slices.Sorted(maps.Keys(wrong.accounts)) {
		status = http.StatusServiceUnavailable
		r := laneReport{AppID: appid, Phase: pipeline.Refused, Reason: wrong.accounts[appid].Error()}
		if u, ok := errors.AsType[*exitError](wrong.accounts[appid]); ok {
			r.Hint = strings.Join(u.hints, "\n")
		}
		reports = append(reports, r)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"accounts": reports}
	if len(wrong.faults) > 0 {
		body["configuration"] = wrong.faults
	}
	_ = json.NewEncoder(w).Encode(body) // an error: the client is gone
}

// trouble is what else keeps the service from being as its configuration wants it.
type trouble struct {
	accounts map[string]error // that have no lane, and why
	faults   config.Faults    // parts of the configuration that are not in effect; what was there before is
}

func troubleOf(s *service, r *accountsReader) trouble {
	t := trouble{faults: r.wrong()}
	if s != nil {
		t.accounts = s.fleet.without()
	}
	return t
}
