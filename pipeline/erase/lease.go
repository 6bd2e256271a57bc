package erase

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lease is who erases people of an account. It is no lock: two at once do twice
// what may be done twice.
type lease struct {
	Holder string `json:"holder"`
	rev    uint64
	seen   time.Time // when it was as it is first, by our clock
}

const (
	// leaseEvery is how often the holder says that it is there.
	leaseEvery = 3 * time.Second
	// leaseSilence is how long it may say nothing until another goes on.
	leaseSilence = 15 * time.Second
)

func leaseKey(appid string) string { return kindLease + "." + appid }

// keepLease takes what the watch says.
func (l *Ledger) keepLease(e jetstream.KeyValueEntry) {
	appid := accountIn(e.Key())
	var x lease
	there := e.Operation() == jetstream.KeyValuePut && json.Unmarshal(e.Value(), &x) == nil
	x.rev, x.seen = e.Revision(), time.Now()
	l.mu.Lock()
	if old := l.leases[appid]; old.rev < x.rev {
		if !there {
			x = lease{rev: x.rev}
		}
		l.leases[appid] = x
	}
	l.mu.Unlock()
	if !there {
		l.wake(appid)
	}
}

// Taken is for how long an account's lease has to be left alone.
func (l *Ledger) Taken(appid string, now time.Time) time.Duration {
	l.mu.RLock()
	defer l.mu.RUnlock()
	x := l.leases[appid]
	if x.Holder == "" || x.Holder == l.holder {
		return 0
	}
	return max(0, x.seen.Add(leaseSilence).Sub(now))
}

// take takes or renews an account's lease; false if somebody else was quicker.
func (l *Ledger) take(ctx context.Context, appid string) bool {
	l.mu.RLock()
	rev, free := l.leases[appid].rev, l.leases[appid].Holder == ""
	l.mu.RUnlock()
	value, err := json.Marshal(lease{Holder: l.holder})
	if err != nil {
		return false
	}
	if free {
		rev, err = l.create(ctx, leaseKey(appid), value)
	} else {
		rev, err = l.update(ctx, leaseKey(appid), value, rev)
	}
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leases[appid].rev < rev {
		l.leases[appid] = lease{Holder: l.holder, rev: rev, seen: time.Now()}
	}
	return true
}

// give gives it back.
func (l *Ledger) give(ctx context.Context, appid string) {
	kv, err := l.store()
	if err != nil {
		return
	}
	l.mu.RLock()
	x := l.leases[appid]
	l.mu.RUnlock()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if x.Holder == l.holder {
		_ = kv.Delete(ctx, leaseKey(appid), jetstream.LastRevision(x.rev)) // else it falls silent
	}
}

// Hold takes an account's lease, as soon as it is to be had, and keeps it while
// do runs. If somebody else has it waits, which may be nil, is called once.
func (l *Ledger) Hold(ctx context.Context, appid string, waits func(), do func(context.Context) error) error {
	for {
		if wait := l.Taken(appid, time.Now()); wait > 0 {
			if waits != nil {
				waits()
				waits = nil
			}
			if !sleep(ctx, min(wait, time.Second)) {
				return context.Cause(ctx)
			}
			continue
		}
		if l.take(ctx, appid) {
			break
		}
		if !sleep(ctx, time.Second/10) {
			return context.Cause(ctx)
		}
	}
	defer l.give(context.WithoutCancel(ctx), appid)
	beating, stop := context.WithCancel(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		for sleep(beating, leaseEvery) {
			l.take(beating, appid) // one that fails is missed, and not the end
		}
	}()
	defer func() { stop(); <-beats }()
	return do(ctx)
}

// sleep waits; false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
