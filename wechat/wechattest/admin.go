package wechattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// admin serves the simulator's own controls, described in the package comment.
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	var reply any
	var err error
	q := r.URL.Query()
	switch r.Method + " " + r.URL.Path {
	case "GET /_sim/stats":
		reply = s.allStats()
	case "GET /_sim/users":
		reply, err = s.adminUsers(q.Get("appid"), q.Get("offset"), q.Get("limit"))
	case "GET /_sim/user":
		reply, err = s.adminUser(q.Get("appid"), q.Get("openid"))
	case "POST /_sim/fault":
		var f Fault
		if err = decode(r, &f); err == nil {
			reply = map[string]int{"id": s.faulty.add(f)}
		}
	case "DELETE /_sim/fault":
		id := 0
		if text := q.Get("id"); text != "" {
			id, err = strconv.Atoi(text)
		}
		if err == nil {
			reply = map[string]int{"removed": s.faulty.remove(id)}
		}
	case "POST /_sim/kill-tokens":
		reply, err = s.onAccount(q.Get("appid"), (*Account).KillTokens)
	case "POST /_sim/secret":
		var body struct{ AppID, Secret string }
		if err = decode(r, &body); err == nil {
			reply, err = s.onAccount(body.AppID, func(a *Account) { a.SetSecret(body.Secret) })
		}
	default:
		err = errNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errNotFound) {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		reply = map[string]string{"error": err.Error()}
	}
	json.NewEncoder(w).Encode(reply)
}

var errNotFound = errors.New("not found")

func decode(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func (s *Server) allStats() map[string]Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]Stats, len(s.accounts))
	for appid, a := range s.accounts {
		all[appid] = a.Stats()
	}
	return all
}

func (s *Server) onAccount(appid string, f func(*Account)) (any, error) {
	a := s.Account(appid)
	if a == nil {
		return nil, fmt.Errorf("account %q: %w", appid, errNotFound)
	}
	f(a)
	return map[string]bool{"ok": true}, nil
}

func (s *Server) adminUsers(appid, offset, limit string) (any, error) {
	a := s.Account(appid)
	if a == nil {
		return nil, fmt.Errorf("account %q: %w", appid, errNotFound)
	}
	from, n := 0, 100
	for _, p := range []struct {
		name, text string
		value      *int
	}{{"offset", offset, &from}, {"limit", limit, &n}} {
		if p.text == "" {
			continue
		}
		v, err := strconv.Atoi(p.text)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%s %q: want a number", p.name, p.text)
		}
		*p.value = v
	}
	numbers, total := a.page(uint64(from), min(n, 100_000))
	openids := make([]string, len(numbers))
	for i, number := range numbers {
		openids[i] = a.OpenID(int(number))
	}
	return map[string]any{"total": total, "openids": openids}, nil
}

func (s *Server) adminUser(appid, openid string) (any, error) {
	a := s.Account(appid)
	if a == nil {
		return nil, fmt.Errorf("account %q: %w", appid, errNotFound)
	}
	row, ok := a.User(openid)
	if !ok {
		return nil, fmt.Errorf("openid: %w", errNotFound)
	}
	return json.RawMessage(row), nil
}
