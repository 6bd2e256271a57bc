package erase

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// Order is that a person is to be erased. It is the one thing in a ledger that
// holds an openid, and is overwritten when it is done.
type Order struct {
	AppID   string    `json:"appid"`
	OpenID  string    `json:"openid"`
	UnionID string    `json:"unionid,omitempty"` // where it is known
	UpTo    time.Time `json:"up_to,omitzero"`    // events stored up to here; zero: when the order was written
	Due     time.Time `json:"due"`               // when it is to be done
	Why     string    `json:"why"`               // events.ErasedByRequest or events.ErasedByUnsubscribe
	By      string    `json:"by,omitempty"`
}

// Standing is an order as the ledger has it.
type Standing struct {
	Order
	key string
	rev uint64
}

// with is what becomes of an order when there is another one for the person.
func (o Order) with(next Order) Order {
	if next.UpTo.Before(o.UpTo) && !next.UpTo.IsZero() {
		next.UpTo = o.UpTo
	}
	if o.Why != next.Why && o.Why == events.ErasedByRequest { // which is not put off by an unsubscribe
		next.Why, next.Due, next.By = o.Why, o.Due, o.By
	}
	next.UnionID = cmp.Or(next.UnionID, o.UnionID)
	return next
}

// Place writes an order down, as one with any other for the person. If it does
// not say up to when, the server's clock does.
func (l *Ledger) Place(ctx context.Context, o Order) (Standing, error) {
	key := kindOrder + "." + o.AppID + "." + l.hash(o.AppID, o.OpenID).String()
	for {
		old, err := l.get(ctx, key)
		var rev uint64
		switch {
		case err == nil:
			var there Order
			if json.Unmarshal(old.Value(), &there) == nil {
				there.UpTo = since(there.UpTo, old)
				o = there.with(o)
			}
			rev, err = l.write(ctx, key, o, old.Revision())
		case errors.Is(err, jetstream.ErrKeyNotFound):
			rev, err = l.write(ctx, key, o, 0)
		}
		if err == nil && o.UpTo.IsZero() {
			var written jetstream.KeyValueEntry
			if written, err = l.get(ctx, key); err == nil && written.Revision() != rev {
				continue // somebody has written it anew
			}
			if err == nil {
				o.UpTo = written.Created()
			}
		}
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return Standing{}, fmt.Errorf("order to erase: %w", err)
		}
		return Standing{o, key, rev}, nil
	}
}

// since is an order's cut-off: if it does not say one, when it was written.
func since(upTo time.Time, e jetstream.KeyValueEntry) time.Time {
	if upTo.IsZero() {
		return e.Created()
	}
	return upTo
}

func (l *Ledger) write(ctx context.Context, key string, o Order, at uint64) (uint64, error) {
	value, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	if at == 0 {
		return l.create(ctx, key, value)
	}
	return l.update(ctx, key, value, at)
}

// keepOrder takes what the watch says of an order.
func (l *Ledger) keepOrder(e jetstream.KeyValueEntry) {
	key := e.Key()
	var o Order
	there := e.Operation() == jetstream.KeyValuePut && json.Unmarshal(e.Value(), &o) == nil
	l.mu.Lock()
	if there {
		o.UpTo = since(o.UpTo, e)
		l.orders[key] = Standing{o, key, e.Revision()}
	} else {
		delete(l.orders, key)
	}
	l.mu.Unlock()
	l.wake(accountIn(key))
}

// Orders lists an account's orders, the first that is due first; of all accounts
// if appid is empty.
func (l *Ledger) Orders(appid string) []Standing {
	if l == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Standing
	for _, o := range l.orders {
		if appid == "" || o.AppID == appid {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.key, b.key)) })
	return all
}

// strike removes an order that is done, and overwrites what it said. One that
// has changed since stays.
func (l *Ledger) strike(ctx context.Context, s Standing) error {
	kv, err := l.store()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, "KV_"+l.bucket)
	if err != nil {
		return fmt.Errorf("order to erase: %w", err)
	}
	now, err := kv.Get(ctx, s.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && now.Revision() != s.rev {
		return nil
	}
	if err == nil && !stream.CachedInfo().Config.DenyDelete { // as a bucket has it that a person has made
		err = l.overwrite(ctx, kv, stream, s.key)
	}
	if err == nil {
		err = kv.Purge(ctx, s.key) // says so to whoever watches
	}
	if err != nil {
		return fmt.Errorf("order to erase: %w", err)
	}
	return nil
}

// overwrite overwrites an order, and all that it was before it was written anew.
func (l *Ledger) overwrite(ctx context.Context, kv jetstream.KeyValue, stream jetstream.Stream, key string) error {
	all, err := kv.History(ctx, key)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Operation() != jetstream.KeyValuePut {
			continue // names nobody
		}
		if err := secureDelete(ctx, stream, e.Revision()); err != nil {
			return err
		}
	}
	return nil
}
