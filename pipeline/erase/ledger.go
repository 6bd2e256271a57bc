package erase

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
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

const (
	// lookEvery is how often the bucket is looked for, or whether it still is the
	// same one.
	lookEvery = 10 * time.Second
	// requestTimeout bounds one request.
	requestTimeout = 2 * time.Second
)

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

// keepStone takes over a tombstone.
func (l *Ledger) keepStone(key string, upTo time.Time) {
	h, ok := hashIn(key)
	if !ok {
		return
	}
	l.mu.Lock()
	old, known := l.stones[h]
	l.stones[h] = max(old, upTo.UnixNano())
	if !known && accountIn(key) == "" {
		l.unions++
	}
	l.some.Store(true)
	l.mu.Unlock()
	l.wake(accountIn(key))
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

// Prepare makes the bucket and its salt, if they are missing and it may.
func (l *Ledger) Prepare(ctx context.Context, replicas int, m events.Manage) error {
	if l.ready() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*requestTimeout)
	defer cancel()
	kv, err := l.js.KeyValue(ctx, l.bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && m == events.Create {
		if _, err = l.js.CreateStream(ctx, l.spec(replicas)); err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			kv, err = l.js.KeyValue(ctx, l.bucket) // ours, or of somebody who was quicker
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", l.bucket, err)
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // it does not fail
	if _, err := kv.Create(ctx, keySalt, salt); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return fmt.Errorf("bucket %s: %w", l.bucket, err)
	}
	for !l.ready() {
		select {
		case l.looked <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("bucket %s: %w", l.bucket, context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// spec is the bucket as we make it: as any bucket, but that its messages may be
// overwritten and removed. Orders are.
func (l *Ledger) spec(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + l.bucket, Subjects: []string{"$KV." + l.bucket + ".>"},
		Description:       "who was erased from wxenrich's streams: do not delete",
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, Replicas: max(1, replicas),
		AllowRollup: true, AllowDirect: true, Storage: jetstream.FileStorage,
	}
}

// ready reports whether people can be erased.
func (l *Ledger) ready() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.kv != nil && l.salt != nil
}

// hash is a person's in this ledger; Prepare has to have been called.
func (l *Ledger) hash(appid, id string) hash {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return hashOf(l.salt, appid, id)
}

func (l *Ledger) store() (jetstream.KeyValue, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.kv == nil {
		return nil, jetstream.ErrBucketNotFound
	}
	return l.kv, nil
}

func (l *Ledger) create(ctx context.Context, key string, value []byte) (uint64, error) {
	kv, err := l.store()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return kv.Create(ctx, key, value)
}

func (l *Ledger) update(ctx context.Context, key string, value []byte, at uint64) (uint64, error) {
	kv, err := l.store()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return kv.Update(ctx, key, value, at)
}

func (l *Ledger) get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	kv, err := l.store()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return kv.Get(ctx, key)
}
