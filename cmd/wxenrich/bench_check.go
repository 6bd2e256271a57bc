package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/wxenrich/wxenrich/events"
)

// check finds what a run would fail by, or would not do.
func (f *benchFlags) check() error {
	l, s, t := &f.c.Load, &f.c.Service, &f.c.Trouble
	share := func(x float64) bool { return x >= 0 && x <= 1 } // no NaN
	switch {
	case f.runs < 1:
		return usage("--runs %d: want 1 or more", f.runs)
	case !(l.Rate >= 0 && l.Rate <= 1e6) || f.length <= 0:
		return usage("--rate and --for: want more than 0, and a million events a second at most")
	case l.Events < 2:
		return usage("%d events: want at least two", l.Events)
	case l.Accounts < 1 || s.Replicas < 1 || s.Idle < 0:
		return usage("--accounts and --replicas: want 1 or more; --idle: 0 or more")
	case !share(l.Refused) || !share(l.Malformed) || l.Refused+l.Malformed > 1:
		return usage("--refused and --malformed: want shares, such as 0.005, of 1 in all at most")
	case l.Meta < 0 || l.Meta > maxBenchMeta:
		return usage("--meta %d: want 0 to %d bytes", l.Meta, maxBenchMeta)
	case s.Concurrency < 1 || s.Concurrency > 1000:
		return usage("--concurrency %d: want 1 to 1000", s.Concurrency)
	case s.BatchSize < 1 || s.BatchSize > 100:
		return usage("--batch-size %d: want 1 to 100", s.BatchSize)
	case s.Window <= 0 || s.RecentAge < 0 || t.KillToken < 0 || t.Refuse < 0:
		return usage("--window: want more than 0; --recent-max-age, --kill-token and --refuse-output: want 0 or more")
	case !slices.Contains([]string{"fixed", "adaptive"}, s.Pace):
		return usage("--pace %q: want fixed or adaptive", s.Pace)
	}
	if _, err := parseLatency(f.c.API.Latency); err != nil {
		return usage("--latency %w", err)
	}
	for _, text := range f.c.API.Faults {
		if _, err := parseFault(text); err != nil {
			return usage("--fault %w", err)
		}
	}
	for _, path := range []string{f.profile.CPU, f.profile.Memory} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return usage("profile: %w", err)
		}
	}
	return nil
}

// maxBenchMeta leaves an event's openid room beside its meta.
const maxBenchMeta = events.DefaultMaxPayload - 1<<10
