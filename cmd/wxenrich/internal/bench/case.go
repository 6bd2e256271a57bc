package bench

import (
	"fmt"
	"time"
)

// A Case is a load and how the service is set for it.
type Case struct {
	Name    string  `json:"name"`
	Load    Load    `json:"load"`
	Service Service `json:"service"`
	API     API     `json:"api"`
	Trouble Trouble `json:"trouble,omitzero"`
}

// Load is what is asked.
type Load struct {
	Events    int     `json:"events"`
	Rate      float64 `json:"rate,omitempty"`      // events a second; 0: all are there before anybody begins
	Accounts  int     `json:"accounts"`            // they take turns
	Hot       bool    `json:"hot,omitempty"`       // some people occur far more often than others
	Refused   float64 `json:"refused,omitempty"`   // share of openids that look right and that WeChat refuses
	Malformed float64 `json:"malformed,omitempty"` // share of openids that are none
	Meta      int     `json:"meta,omitempty"`      // bytes of meta, which the record carries; 0: a bare openid
	Streams   bool    `json:"streams,omitempty"`   // each account's events are in a stream of its own
}

// Service is how the service is set.
type Service struct {
	Replicas    int           `json:"replicas"`
	Concurrency int           `json:"concurrency"`
	BatchSize   int           `json:"batch_size"`
	Window      time.Duration `json:"window"`
	Pace        string        `json:"pace"`
	RecentAge   time.Duration `json:"recent_max_age,omitempty"`
	Atomic      bool          `json:"atomic,omitempty"`
	Idle        int           `json:"idle,omitempty"`   // accounts besides, without events
	Memory      bool          `json:"memory,omitempty"` // input.durable_storage: memory
}

// API is how WeChat behaves.
type API struct {
	Latency string   `json:"latency"` // as "simulate" takes it: 60ms, or median/p99
	Faults  []string `json:"faults,omitempty"`
}

// Trouble is what befalls the service while it works.
type Trouble struct {
	KillToken time.Duration `json:"kill_token,omitempty"` // the token is made invalid so often
	Refuse    time.Duration `json:"refuse,omitempty"`     // so long the output takes nothing
	StopEarly bool          `json:"stop_early,omitempty"` // SIGTERM when half is answered
}

// Drain is the case that the others vary: a backlog, calls of a lognormal
// length.
func Drain() Case {
	return Case{
		Name:    "drain",
		Load:    Load{Events: 200_000, Accounts: 1},
		Service: Service{Replicas: 1, Concurrency: 96, BatchSize: 100, Window: 100 * time.Millisecond, Pace: "fixed"},
		API:     API{Latency: "60ms/152ms"},
	}
}

// appid is the i-th account; those behind the busy ones are idle.
func appid(i int) string { return fmt.Sprintf("wxbench%09d", i) }

// appids is all accounts, the busy ones first.
func (c *Case) appids() []string {
	ids := make([]string, c.Load.Accounts+c.Service.Idle)
	for i := range ids {
		ids[i] = appid(i)
	}
	return ids
}
