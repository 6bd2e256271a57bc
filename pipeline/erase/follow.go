package erase

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lookEvery is how often the bucket is looked for, or whether it still is the
// same one.
const lookEvery = 10 * time.Second

// find looks for the bucket and watches it; nil where there is none.
func (l *Ledger) find(ctx, following context.Context) (jetstream.KeyWatcher, error) {
	kv, born, err := l.look(ctx)
	if err != nil {
		return nil, err
	}
	watcher, err := kv.WatchFiltered(following, []string{keySalt, kindStone + ".>", kindUnion + ".>", kindOrder + ".>", kindLease + ".>"})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.born.IsZero() && !l.born.Equal(born) {
		l.log.Warn("the bucket of who is erased is another one: what it said is forgotten", slog.String("bucket", l.bucket), slog.Int("people", len(l.stones)))
		clear(l.stones)
		clear(l.orders)
		clear(l.leases)
		l.salt, l.unions = nil, 0
		l.some.Store(false)
	}
	l.kv, l.born = kv, born
	return watcher, nil
}

// look opens the bucket, and says when it was made.
func (l *Ledger) look(ctx context.Context) (jetstream.KeyValue, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	kv, err := l.js.KeyValue(ctx, l.bucket)
	if err != nil {
		return nil, time.Time{}, err
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	b, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil, time.Time{}, errors.New("the client does not say when the bucket was made")
	}
	return kv, b.StreamInfo().Created, nil
}

// follow keeps what the bucket says, and closes known when that is all there.
func (l *Ledger) follow(ctx context.Context, watcher jetstream.KeyWatcher, known chan<- struct{}) {
	defer close(l.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	if watcher == nil {
		close(known)
		known = nil
	}
	for {
		var updates <-chan jetstream.KeyValueEntry
		if watcher != nil {
			updates = watcher.Updates()
		}
		select {
		case <-ctx.Done():
			if watcher != nil {
				_ = watcher.Stop() // the connection may be gone
			}
			return
		case e, open := <-updates:
			switch {
			case e != nil:
				l.heard(e)
			case open && known != nil:
				close(known)
				known = nil
			case !open:
				watcher = nil // the next look begins anew
			}
			continue
		case <-l.looked:
		case <-tick.C:
		}
		if watcher != nil && l.same(ctx) {
			continue
		}
		if fresh, err := l.find(ctx, ctx); err == nil {
			if watcher != nil {
				_ = watcher.Stop() // of another bucket
			}
			watcher = fresh
		}
	}
}

// same reports whether the bucket is the one that is followed, as far as can be
// found out.
func (l *Ledger) same(ctx context.Context) bool {
	_, born, err := l.look(ctx)
	l.mu.RLock()
	defer l.mu.RUnlock()
	return err != nil || born.Equal(l.born)
}

// heard takes what the watch says.
func (l *Ledger) heard(e jetstream.KeyValueEntry) {
	key, there := e.Key(), e.Operation() == jetstream.KeyValuePut
	kind, _, _ := strings.Cut(key, ".")
	switch kind {
	case keySalt:
		l.mu.Lock()
		l.salt = e.Value()
		l.mu.Unlock()
	case kindStone, kindUnion:
		var s stone
		if there && json.Unmarshal(e.Value(), &s) == nil {
			l.keepStone(key, s.UpTo)
		} else if h, ok := hashIn(key); ok { // a person has taken it away
			l.mu.Lock()
			delete(l.stones, h)
			l.mu.Unlock()
		}
	case kindOrder:
		l.keepOrder(e)
	case kindLease:
		l.keepLease(e)
	}
}
