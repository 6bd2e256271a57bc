package wechattest

import (
	"maps"
	"sync"
	"time"
)

// Stats is what an account has seen since it was added.
type Stats struct {
	Calls         map[string]int `json:"calls"` // by endpoint, such as "user/info/batchget"
	Codes         map[int]int    `json:"codes"` // by errcode; 0 for the rest
	OpenIDs       int            `json:"openids"`
	TokensIssued  int            `json:"tokens_issued"`
	MaxConcurrent int            `json:"max_concurrent"`
}

// Call is an entry of the log of calls.
type Call struct {
	Time     time.Time
	Endpoint string
	AppID    string
	OpenIDs  []string // asked for
	Code     int      // the errcode answered; 0 for success and below
	Status   int      // the HTTP status answered by a fault; else 0
}

// meter counts and logs calls.
type meter struct {
	keep int // entries of the log

	mu     sync.Mutex
	stats  Stats
	inside int
	log    []Call // a ring once it is full
	next   int
}

func (m *meter) enter() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inside++
	m.stats.MaxConcurrent = max(m.stats.MaxConcurrent, m.inside)
}

func (m *meter) leave(c Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inside--
	if m.stats.Calls == nil {
		m.stats.Calls, m.stats.Codes = make(map[string]int), make(map[int]int)
	}
	m.stats.Calls[c.Endpoint]++
	m.stats.Codes[c.Code]++
	m.stats.OpenIDs += len(c.OpenIDs)
	switch {
	case len(m.log) < m.keep:
		m.log = append(m.log, c)
	case m.keep > 0:
		m.log[m.next] = c
		m.next = (m.next + 1) % m.keep
	}
}

// Stats returns the account's counts.
func (a *Account) Stats() Stats {
	a.tokens.mu.Lock()
	issued := a.tokens.issued
	a.tokens.mu.Unlock()
	m := &a.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Calls, s.Codes, s.TokensIssued = maps.Clone(s.Calls), maps.Clone(s.Codes), issued
	return s
}

// Log returns the account's latest calls in the order of their replies.
func (a *Account) Log() []Call {
	m := &a.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(append([]Call(nil), m.log[m.next:]...), m.log[:m.next]...)
}
