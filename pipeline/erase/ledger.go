package erase

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Ledger is what is known of erasures: a key-value bucket, followed as a
// whole but for receipts. There need not be one: it is made with the first
// order, and looked for until then. All lanes of a process share a Ledger. A nil
// Ledger knows of nobody. It is safe for concurrent use.
type Ledger struct {
	js     jetstream.JetStream
	bucket string
	holder string // who we are among those who erase
	log    *slog.Logger

	some atomic.Bool // somebody is erased

	mu     sync.RWMutex
	kv     jetstream.KeyValue // nil: there is none
	born   time.Time          // of the bucket
	salt   []byte
	stones map[hash]int64 // cut-offs in unix ns: a person takes some 50 bytes
	unions int            // of those, by unionid
	orders map[string]Standing
	leases map[string]lease             // by appid
	woken  map[string][]chan<- struct{} // by appid: who hears of changes

	looked chan struct{} // has something: look for the bucket now
	cut    context.CancelFunc
	done   chan struct{}
}

// Open follows a ledger until Close. It returns when what the bucket holds is
// known, or that there is none. An error means that neither could be found out:
// somebody may be erased whom we do not know.
func Open(ctx context.Context, js jetstream.JetStream, bucket string, log *slog.Logger) (*Ledger, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{
		js: js, bucket: bucket, holder: rand.Text(), log: log,
		stones: make(map[hash]int64), orders: make(map[string]Standing), leases: make(map[string]lease),
		woken: make(map[string][]chan<- struct{}), looked: make(chan struct{}, 1), done: make(chan struct{}),
	}
	following, cut := context.WithCancel(context.WithoutCancel(ctx))
	l.cut = cut
	watcher, err := l.find(ctx, following)
	if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
		cut()
		return nil, fmt.Errorf("bucket %s, of who is erased: %w", bucket, err)
	}
	known := make(chan struct{})
	go l.follow(following, watcher, known)
	select {
	case <-known:
		return l, nil
	case <-ctx.Done():
		l.Close()
		return nil, context.Cause(ctx)
	}
}

// Close ends it.
func (l *Ledger) Close() {
	if l != nil {
		l.cut()
		<-l.done
	}
}

// Subscribe returns a channel that has something whenever orders or tombstones
// of an account may have changed, until stop is called.
func (l *Ledger) Subscribe(appid string) (changed <-chan struct{}, stop func()) {
	woken := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken[appid] = append(l.woken[appid], woken)
	return woken, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, c := range l.woken[appid] {
			if c == woken {
				l.woken[appid] = append(l.woken[appid][:i:i], l.woken[appid][i+1:]...)
				return
			}
		}
	}
}

// wake wakes an account's lane; all lanes if the account is empty.
func (l *Ledger) wake(appid string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for account, all := range l.woken {
		if appid != "" && account != appid {
			continue
		}
		for _, c := range all {
			select {
			case c <- struct{}{}:
			default: // it is awake
			}
		}
	}
}
