package dead

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// Purged is an event whose letter a person has removed for good: it had an
// answer, of which nothing else tells.
type Purged struct {
	Dead   string        // the stream of the letter
	Source events.Source // without its subject
	Hop    int           // how many redrives led to the letter
}

// NewPurged is what a letter leaves behind that is removed from a stream. One of
// a replay is not its event's answer, and leaves only that it was there.
func NewPurged(stream string, l *Letter) Purged {
	p := Purged{Dead: stream, Source: l.Message.Source, Hop: l.Hop}
	if l.Replay != "" {
		p.Source.Seq = 0 // no message has it
	}
	return p
}

// kindReceipt is the kind of keys, in the state bucket, under which it is kept
// which letters were removed.
const kindReceipt = "purged"

// receipt is the value of a key. It is kept short: there may be many.
type receipt struct {
	By     string     `json:"by"`
	Dead   string     `json:"dead"`
	Stream string     `json:"stream"`
	Events [][3]int64 `json:"events"` // sequence, stored time in unix ns, hop
}

// receiptSize is how many events one key has: some hundred KiB, below what a
// server takes by default.
const receiptSize = 10_000

// WriteReceipts notes that letters are about to be removed, and who does it.
func WriteReceipts(ctx context.Context, kv jetstream.KeyValue, now time.Time, by string, of []Purged) error {
	receipts := make(map[[2]string]receipt) // by stream of letters and of events
	n := 0
	write := func(r receipt) error {
		value, err := json.Marshal(r)
		if err != nil {
			return err
		}
		n++
		if _, err := kv.Create(ctx, fmt.Sprintf("%s.%d.%d", kindReceipt, now.UnixNano(), n), value); err != nil {
			return fmt.Errorf("write down what is removed: %w", err)
		}
		return nil
	}
	for _, p := range of {
		where := [2]string{p.Dead, p.Source.Stream}
		r := receipts[where]
		r.By, r.Dead, r.Stream = by, p.Dead, p.Source.Stream
		r.Events = append(r.Events, [3]int64{int64(p.Source.Seq), p.Source.Time.UnixNano(), int64(p.Hop)})
		if len(r.Events) >= receiptSize {
			if err := write(r); err != nil {
				return err
			}
			r.Events = nil
		}
		receipts[where] = r
	}
	for _, r := range receipts {
		if len(r.Events) == 0 {
			continue
		}
		if err := write(r); err != nil {
			return err
		}
	}
	return nil
}

// ReadReceipts reads which letters were ever removed.
func ReadReceipts(ctx context.Context, kv jetstream.KeyValue) ([]Purged, error) {
	keys, err := kv.ListKeysFiltered(ctx, kindReceipt+".>")
	if err != nil {
		return nil, fmt.Errorf("what was purged: %w", err)
	}
	var all []Purged
	for key := range keys.Keys() {
		e, err := kv.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		var r receipt
		if err == nil {
			err = json.Unmarshal(e.Value(), &r)
		}
		if err != nil {
			_ = keys.Stop() // or it would wait for us
			return nil, fmt.Errorf("what was purged: key %s: %w", key, err)
		}
		for _, x := range r.Events {
			src := events.Source{Stream: r.Stream, Seq: uint64(x[0]), Time: time.Unix(0, x[1]).UTC()}
			all = append(all, Purged{Dead: r.Dead, Source: src, Hop: int(x[2])})
		}
	}
	return all, nil
}
