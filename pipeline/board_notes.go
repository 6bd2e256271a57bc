package pipeline

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// note is a key's latest value.
type note struct {
	value   []byte    // nil: the key was deleted
	rev     uint64    // the bucket's life above lifeShift: a new bucket begins at 1 again
	written time.Time // by the server's clock
}

// get returns the latest note of a key; its rev is 0 if there was none.
func (b *Board) get(key string) note {
	if b == nil {
		return note{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes[key]
}

// errOutrun is the error of a write that somebody else was quicker with.
var errOutrun = errors.New("the key has changed since")

// put writes a key if it is as it was at a revision; at 0, if it is not there.
func (b *Board) put(ctx context.Context, key string, value []byte, at uint64) (rev uint64, err error) {
	if b == nil {
		return 0, errNoBoard
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	at, same := b.local(at)
	switch {
	case !same:
		return 0, errAnotherBucket
	case at == 0:
		rev, err = b.kv.Create(ctx, key, value)
	default:
		rev, err = b.kv.Update(ctx, key, value, at)
	}
	if err != nil {
		return 0, outrun(err)
	}
	rev = b.global(rev)
	b.keep(key, note{value: value, rev: rev, written: time.Now()})
	return rev, nil
}

// remove deletes a key if it is as it was at a revision.
func (b *Board) remove(ctx context.Context, key string, at uint64) error {
	if b == nil {
		return errNoBoard
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	at, same := b.local(at)
	if !same {
		return errAnotherBucket
	}
	return outrun(b.kv.Delete(ctx, key, jetstream.LastRevision(at)))
}

// fetch reads a key from the server: what put was outrun by need not have come
// through the watch yet.
func (b *Board) fetch(ctx context.Context, key string) (note, error) {
	if b == nil {
		return note{}, errNoBoard
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return note{}, err
	}
	n := note{value: e.Value(), rev: b.global(e.Revision()), written: e.Created()}
	b.mu.Lock()
	b.set(key, n) // even if it is older: then the bucket is another one
	b.mu.Unlock()
	return n, nil
}

var (
	errNoBoard       = errors.New("there is no state bucket")
	errAnotherBucket = errors.New("the state bucket is another one")
)

func outrun(err error) error {
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errOutrun
	}
	return err
}

// token makes s one token of a key.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
}
