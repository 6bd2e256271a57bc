package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/wxapi"
	"github.com/wxenrich/wxenrich/pipeline"
)

// fleet is the lanes that run, one for each account that is wanted. Each account
// has a goroutine of its own that changes its lane, so that one that takes long
// to stop, or cannot begin, keeps no other from changing.
type fleet struct {
	log  *slog.Logger
	make func(context.Context, *config.Config, *config.Account) (*member, error)

	mu      sync.Mutex
	places  map[string]*place // by appid; one that is not wanted goes when its lane has ended
	keepers sync.WaitGroup
	idle    chan struct{} // holds a value when no lane is left that has not ended by itself

	preparing chan struct{} // a slot for each account that gets its first token
}

// member is a lane and the client that it asks with.
type member struct {
	lane   *pipeline.Lane
	client *wxapi.API
}

// place is where an account's lane belongs. All but changed is under the fleet's
// mutex.
type place struct {
	appid   string
	cfg     *config.Config
	wanted  *config.Account // of cfg; nil: none
	changed chan struct{}   // holds a value when wanted has become another
	stop    func()          // ends the lane that runs; nil while none does

	now   *member // nil while there is none
	fault error   // why there is none, or why it has ended by itself
	over  bool    // it has ended by itself
}

func newFleet(log *slog.Logger) *fleet {
	return &fleet{
		log: log, places: make(map[string]*place), idle: make(chan struct{}, 1),
		preparing: make(chan struct{}, mostPreparing),
	}
}

// add gives an account a place; m may be nil.
func (f *fleet) add(cfg *config.Config, a *config.Account, m *member) *place {
	p := &place{appid: a.AppID, cfg: cfg, wanted: a, changed: make(chan struct{}, 1), now: m}
	f.places[a.AppID] = p
	return p
}

// run runs the lanes until ctx ends. Without stay it ends, too, when all lanes
// have by themselves, as those that refuse to start, and returns their errors.
func (f *fleet) run(ctx context.Context, stay bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f.mu.Lock()
	for _, p := range f.places {
		f.keepers.Go(func() { f.keep(ctx, p) })
	}
	f.mu.Unlock()
	idle := f.idle
	if stay {
		idle = nil
	}
	select {
	case <-ctx.Done():
	case <-idle:
		stop()
	}
	f.keepers.Wait()
	var errs []error
	for _, p := range f.places { // nobody else is here any more
		errs = append(errs, p.fault)
	}
	return errors.Join(errs...)
}

// change makes the fleet what cfg wants, and returns what that takes. It does
// not wait for it, and belongs to the goroutine of run's caller's choice.
func (f *fleet) change(ctx context.Context, cfg *config.Config) (d difference, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		switch p := f.places[a.AppID]; {
		case p == nil:
			p = f.add(cfg, a, nil)
			f.keepers.Go(func() { f.keep(ctx, p) })
			d.added = append(d.added, a.AppID)
		case p.wanted == nil:
			p.want(cfg, a)
			d.added = append(d.added, a.AppID)
		case !p.wanted.Same(a):
			p.want(cfg, a)
			d.changed = append(d.changed, a.AppID)
		}
	}
	for appid, p := range f.places {
		is := func(a config.Account) bool { return a.AppID == appid }
		if p.wanted != nil && p.cfg != cfg && !slices.ContainsFunc(cfg.Accounts, is) {
			p.want(cfg, nil)
			d.removed = append(d.removed, appid)
		}
	}
	slices.Sort(d.removed)
	return d, nil
}

func (p *place) want(cfg *config.Config, a *config.Account) {
	p.cfg, p.wanted, p.over = cfg, a, false
	select {
	case p.changed <- struct{}{}:
	default:
	}
	if p.stop != nil {
		p.stop()
	}
}

// keep has a place hold the lane that is wanted, until ctx ends or none is.
func (f *fleet) keep(ctx context.Context, p *place) {
	for {
		m := f.next(ctx, p)
		if m == nil {
			return
		}
		running, stop := context.WithCancel(ctx)
		f.mu.Lock()
		p.stop = stop
		f.mu.Unlock()
		if len(p.changed) > 0 { // while there was nothing to stop
			stop()
		}
		if err := m.lane.Run(running); running.Err() == nil {
			f.hasEnded(p, err)
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
		}
		stop()
		f.mu.Lock()
		p.now, p.stop = nil, nil
		if ctx.Err() == nil {
			p.fault = nil
		}
		f.mu.Unlock()
		m.close(f.log)
	}
}

// mostPreparing is how many accounts fetch their first token at once: a thousand of
// them are not to open a connection each.
const mostPreparing = 8

// prepare has an account's client ready for the first call.
func (f *fleet) prepare(ctx context.Context, client *wxapi.API) error {
	select {
	case f.preparing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.preparing }()
	return client.Prepare(ctx)
}

// remakeEvery is the wait before a lane is made again that could not be made:
// the server may be away.
const remakeEvery = 5 * time.Second

// next is the lane that is wanted now; nil when none is, or ctx has ended.
func (f *fleet) next(ctx context.Context, p *place) *member {
	said := ""
	for ctx.Err() == nil {
		f.mu.Lock()
		cfg, wanted, m := p.cfg, p.wanted, p.now
		if wanted == nil {
			delete(f.places, p.appid)
		}
		f.mu.Unlock()
		if wanted == nil || m != nil {
			return m
		}
		m, err := f.make(ctx, cfg, wanted)
		f.mu.Lock()
		p.now, p.fault = m, err
		f.mu.Unlock()
		if err == nil {
			return m
		}
		if said != err.Error() && ctx.Err() == nil {
			said = err.Error()
			f.log.Error("account cannot be served", slog.String("appid", p.appid), slog.Any("error", err))
		}
		select {
		case <-p.changed:
		case <-time.After(remakeEvery):
		case <-ctx.Done():
		}
	}
	return nil
}

// hasEnded notes that a lane has ended by itself, and whether it was the last.
func (f *fleet) hasEnded(p *place, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.fault, p.over = err, true
	for _, p := range f.places {
		if !p.over {
			return
		}
	}
	select {
	case f.idle <- struct{}{}:
	default:
	}
}

// lanes are those there are now, by account.
func (f *fleet) lanes() []*pipeline.Lane {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]*pipeline.Lane, 0, len(f.places))
	for _, p := range f.places {
		if p.now != nil {
			out = append(out, p.now.lane)
		}
	}
	slices.SortFunc(out, func(a, b *pipeline.Lane) int { return strings.Compare(a.AppID(), b.AppID()) })
	return out
}

// tokenless are the accounts that had no token when they wanted one last.
func (f *fleet) tokenless() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for appid, p := range f.places {
		if p.now != nil && p.now.client.TokenFailing() {
			out = append(out, appid)
		}
	}
	return out
}

// without says of accounts that are wanted, and have no lane, why.
func (f *fleet) without() map[string]error {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]error)
	for appid, p := range f.places {
		if p.now == nil && p.fault != nil {
			out[appid] = p.fault
		}
	}
	return out
}

// close ends the members of places that were never run.
func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.places {
		if p.now != nil {
			p.now.client.Close()
		}
	}
}

// close says what the lane has done, and lets go of its client.
func (m *member) close(log *slog.Logger) {
	m.client.Close()
	c := m.lane.Stats().Counts()
	var dead int64
	for _, n := range c.DeadLetters {
		dead += n
	}
	log.Info("lane has ended", slog.String("appid", m.lane.AppID()),
		slog.Int64("events", c.Received), slog.Int64("records", c.Records), slog.Int64("dead_letters", dead),
		slog.Int64("handed_back", c.HandedBack), slog.Int64("api_calls", c.Calls))
}
