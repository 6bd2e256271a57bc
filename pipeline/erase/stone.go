package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// stone is a tombstone as it is written.
type stone struct {
	UpTo time.Time `json:"up_to"` // events stored up to here are not answered
	By   string    `json:"by,omitempty"`
	Why  string    `json:"why,omitempty"`
}

// Covers reports whether nothing may be stored about a person that goes back to
// an event of that time. Either of openid and unionid may be empty. While
// nobody is erased it looks at a flag and no more; a nil Ledger covers nobody.
func (l *Ledger) Covers(appid, openid, unionid string, at time.Time) bool {
	if l == nil || !l.some.Load() {
		return false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return openid != "" && l.covered(hashOf(l.salt, appid, openid), at) ||
		unionid != "" && l.unions > 0 && l.covered(hashOf(l.salt, "", unionid), at)
}

// Some reports whether anybody at all is erased.
func (l *Ledger) Some() bool { return l != nil && l.some.Load() }

// Stones is how many tombstones there are.
func (l *Ledger) Stones() int {
	if l == nil {
		return 0
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.stones)
}

// UpTo is a person's cut-off; zero for who is not erased.
func (l *Ledger) UpTo(appid, openid string) time.Time {
	if !l.Some() {
		return time.Time{}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	upTo, ok := l.stones[hashOf(l.salt, appid, openid)]
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, upTo)
}

func (l *Ledger) covered(h hash, at time.Time) bool {
	upTo, ok := l.stones[h]
	return ok && at.UnixNano() <= upTo
}

// Bury writes a person's tombstone. One that reaches further stays.
func (l *Ledger) Bury(ctx context.Context, appid, openid string, upTo time.Time, by, why string) error {
	return l.putStone(ctx, kindStone+"."+appid+"."+l.hash(appid, openid).String(), stone{upTo.UTC(), by, why})
}

// BuryUnion writes a tombstone for all accounts of an Open Platform account.
func (l *Ledger) BuryUnion(ctx context.Context, unionid string, upTo time.Time, by, why string) error {
	return l.putStone(ctx, kindUnion+"."+l.hash("", unionid).String(), stone{upTo.UTC(), by, why})
}

// BuryToo writes the tombstone of an openid that turns out to be somebody's who is
// erased by unionid: whoever has only the openid knows it from now on.
func (l *Ledger) BuryToo(ctx context.Context, appid, openid, unionid string) error {
	l.mu.RLock()
	upTo, ok := l.stones[hashOf(l.salt, "", unionid)]
	known := l.stones[hashOf(l.salt, appid, openid)]
	l.mu.RUnlock()
	if !ok || openid == "" || known >= upTo {
		return nil
	}
	return l.Bury(ctx, appid, openid, time.Unix(0, upTo), "", events.ErasedByRequest)
}

func (l *Ledger) putStone(ctx context.Context, key string, s stone) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	for {
		_, err := l.create(ctx, key, value)
		if errors.Is(err, jetstream.ErrKeyExists) {
			var old jetstream.KeyValueEntry
			if old, err = l.get(ctx, key); errors.Is(err, jetstream.ErrKeyNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("tombstone: %w", err)
			}
			var there stone
			if json.Unmarshal(old.Value(), &there) == nil && !there.UpTo.Before(s.UpTo) {
				return nil
			}
			if _, err = l.update(ctx, key, value, old.Revision()); errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("tombstone: %w", err)
		}
		l.keepStone(key, s.UpTo)
		return nil
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
