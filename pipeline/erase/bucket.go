package erase

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// requestTimeout bounds one request.
const requestTimeout = 2 * time.Second

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
// overwritten and removed. Orders are, with what they were before: a server
// that drops a revision for the next one leaves it on the disk as it is.
func (l *Ledger) spec(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + l.bucket, Subjects: []string{"$KV." + l.bucket + ".>"},
		Description:       "who was erased from wxenrich's streams: do not delete",
		MaxMsgsPerSubject: jetstream.KeyValueMaxHistory, Discard: jetstream.DiscardNew, Replicas: max(1, replicas),
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
