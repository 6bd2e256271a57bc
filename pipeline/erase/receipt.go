package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/audit"
)

// Receipt is which messages of a stream were removed, or were about to be when
// somebody died. It names nobody.
type Receipt struct {
	AppID   string `json:"appid"`
	Stream  string `json:"stream"`
	Kind    Kind   `json:"kind"`
	Subject string `json:"subject,omitempty"` // of events

	Removed []Removed `json:"removed"`
}

// Removed is one message.
type Removed struct {
	Seq    uint64
	Stored int64 // of an event, in unix ns: its sequence may be used again
}

// MarshalJSON keeps it short: there may be many.
func (r Removed) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{int64(r.Seq), r.Stored}) }

// UnmarshalJSON is the inverse.
func (r *Removed) UnmarshalJSON(data []byte) error {
	var pair [2]int64
	err := json.Unmarshal(data, &pair)
	*r = Removed{uint64(pair[0]), pair[1]}
	return err
}

// receiptSize is how many messages one key has: some hundred KiB, below what a
// server takes by default.
const receiptSize = 10_000

// note writes down what is about to be removed.
func (l *Ledger) note(ctx context.Context, r Receipt) error {
	all := r.Removed
	when := time.Now().UnixNano()
	for n := 0; len(all) > 0; n++ {
		size := min(len(all), receiptSize)
		r.Removed, all = all[:size], all[size:]
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		for {
			_, err = l.create(ctx, fmt.Sprintf("%s.%s.%d.%d", kindReceipt, r.AppID, when, n), data)
			if !errors.Is(err, jetstream.ErrKeyExists) {
				break
			}
			when++ // another stream's, of the same moment
		}
		if err != nil {
			return fmt.Errorf("write down what is removed: %w", err)
		}
	}
	return nil
}

// Receipts reads what was ever removed; an account's, or all accounts' if appid
// is empty. Without a bucket there is nothing; a nil Ledger has none.
func (l *Ledger) Receipts(ctx context.Context, appid string) ([]Receipt, error) {
	if l == nil {
		return nil, nil
	}
	kv, err := l.store()
	if err != nil {
		return nil, nil
	}
	filter := kindReceipt + ".>"
	if appid != "" {
		filter = kindReceipt + "." + appid + ".>"
	}
	watcher, err := kv.WatchFiltered(ctx, []string{filter}, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("what was erased: %w", err)
	}
	defer func() { _ = watcher.Stop() }()
	var all []Receipt
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("what was erased: %w", context.Cause(ctx))
		case e, ok := <-watcher.Updates():
			if e == nil {
				if !ok {
					return nil, errors.New("what was erased: the watch has ended")
				}
				return all, nil
			}
			var r Receipt
			if err := json.Unmarshal(e.Value(), &r); err != nil {
				return nil, fmt.Errorf("what was erased: key %s: %w", e.Key(), err)
			}
			all = append(all, r)
		}
	}
}

// Audited is what the audit has to know of all receipts.
func (l *Ledger) Audited(ctx context.Context) ([]audit.Erased, error) {
	receipts, err := l.Receipts(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []audit.Erased
	for _, r := range receipts {
		for _, m := range r.Removed {
			e := audit.Erased{Stream: r.Stream, Seq: m.Seq}
			if r.Kind == KindEvent {
				e.Subject, e.Stored = r.Subject, time.Unix(0, m.Stored)
			}
			all = append(all, e)
		}
	}
	return all, nil
}
