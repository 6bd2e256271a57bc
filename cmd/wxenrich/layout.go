package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// layout is what a server says of the streams that the accounts need. Each is
// asked for once, however many accounts share it.
type layout struct {
	server    string // its version
	consumers int    // that the NATS account allows a stream; 0 if it says nothing, or nobody knows
	streams   map[string]jetstream.StreamConfig
	states    map[string]jetstream.StreamState
	born      map[string]time.Time // when each was made
	drifts    []events.Drift
	bucket    *jetstream.StreamConfig // nil when there is none

	tombstones *jetstream.StreamConfig // the same of who is erased
}

// add notes a stream and how it differs from the configuration.
func (l *layout) add(s jetstream.Stream, drifts []events.Drift) {
	if l.streams == nil {
		l.streams, l.born = make(map[string]jetstream.StreamConfig), make(map[string]time.Time)
		l.states = make(map[string]jetstream.StreamState)
	}
	info := s.CachedInfo()
	l.streams[info.Config.Name], l.born[info.Config.Name], l.states[info.Config.Name] = info.Config, info.Created, info.State
	l.drifts = append(l.drifts, drifts...)
}

// addBucket notes the state bucket.
func (l *layout) addBucket(ctx context.Context, kv jetstream.KeyValue) error {
	status, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	if s, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		l.bucket = &s.StreamInfo().Config
	}
	return nil
}

// findings hold all of it to what the accounts' lanes need. A stream that is
// not there is not judged.
func (l *layout) findings(cfg *config.Config, accounts []*config.Account) ([]plan.Finding, error) {
	all := plan.Server(l.server)
	lanes := make(map[string]int)    // by stream
	answers := make(map[string]bool) // by stream
	for _, a := range accounts {
		needs, err := laneNeeds(cfg, a)
		if err != nil {
			return nil, err
		}
		input, known := l.streams[a.Resolve().Stream]
		if !known {
			continue
		}
		lanes[input.Name]++
		all = append(all, plan.Input(needs, input)...)
		for _, o := range cfg.Outputs {
			if records, ok := l.streams[expandAppID(o.Stream, a.AppID)]; ok {
				answers[records.Name] = true
				all = append(all, plan.Answers(needs, plan.Records, records, input)...)
			}
		}
		if dead, ok := l.streams[expandAppID(cfg.Dead.Stream, a.AppID)]; ok {
			answers[dead.Name] = true
			all = append(all, plan.Answers(needs, plan.DeadLetters, dead, input)...)
		}
		if l.bucket != nil {
			all = append(all, plan.Bucket(cfg.State.Bucket, *l.bucket, input)...)
		}
		if l.tombstones != nil {
			all = append(all, plan.Tombstones(cfg.Erase.Bucket, *l.tombstones, input)...)
		}
	}
	for name, n := range lanes {
		all = append(all, plan.Consumers(l.streams[name], n, l.states[name].Consumers, l.consumers, l.server)...)
	}
	for name := range answers {
		if lanes[name] == 0 {
			all = append(all, plan.Readers(l.streams[name], l.states[name].Consumers, l.consumers, l.server)...)
		}
	}
	return once(all), nil
}

// once sorts findings, the worst first, and leaves one of those that several
// accounts have in common.
func once(all []plan.Finding) []plan.Finding {
	order := []plan.Severity{plan.Refuse, plan.Warn, plan.Info}
	slices.SortStableFunc(all, func(a, b plan.Finding) int {
		if c := slices.Index(order, a.Severity) - slices.Index(order, b.Severity); c != 0 {
			return c
		}
		return strings.Compare(a.About+" "+a.Field, b.About+" "+b.Field)
	})
	return slices.CompactFunc(all, func(a, b plan.Finding) bool {
		return a.Severity == b.Severity && a.About == b.About && a.Field == b.Field
	})
}

// differences are the drifts of which no finding says more.
func (l *layout) differences(findings []plan.Finding) []events.Drift {
	return slices.DeleteFunc(slices.Clone(l.drifts), func(d events.Drift) bool {
		return slices.ContainsFunc(findings, func(f plan.Finding) bool {
			return f.Severity != plan.Info && f.About == "stream "+d.Stream && f.Field == d.Field
		})
	})
}

// laneNeeds is what an account's lane asks of its streams.
func laneNeeds(cfg *config.Config, a *config.Account) (plan.Lane, error) {
	c, err := laneConfig(cfg, a)
	if err != nil {
		return plan.Lane{}, err
	}
	needs := c.Needs()
	needs.Call = a.Timeout.Std()
	return needs, nil
}
