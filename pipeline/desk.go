package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What operators do with holds. None of it needs a lane in this process: the
// replicas watch the board.

// Holds lists what holds an account now: for all replicas first, then what
// holds one of them only. A hold of a replica that is gone is left out once
// its probe is overdue.
func (b *Board) Holds(appid string) []Hold {
	var out []Hold
	for _, key := range b.holdKeys(appid) {
		h := readHold(b.get(key).value)
		if h == nil {
			continue
		}
		if due, ok := h.due(); h.Own() && ok && time.Since(due) > 2*probeLease {
			continue
		}
		out = append(out, *h)
	}
	return out
}

// holdKeys lists the keys of an account's holds, the account's own first.
func (b *Board) holdKeys(appid string) []string {
	account := kindHold + "." + appid
	keys := []string{account}
	if b == nil {
		return keys
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.notes {
		if strings.HasPrefix(key, account+".") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys[1:])
	return keys
}

// Hold stops an account until a time, or for good if that is zero. It takes
// the place of another hold.
func (b *Board) Hold(ctx context.Context, appid, by, why string, until time.Time) error {
	h := Hold{
		Reason: HoldManual, Detail: why, By: by, Since: time.Now(), Until: until,
		Hint: `"wxenrich resume" ends it`,
	}
	value, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = b.kv.Put(ctx, kindHold+"."+appid, value)
	return err
}

// Resume lets an account go on in all replicas, whatever holds it, and returns
// what that was. It also ends holds that could not be written down.
func (b *Board) Resume(ctx context.Context, appid string) ([]Hold, error) {
	held := b.Holds(appid)
	for _, key := range b.holdKeys(appid) {
		if err := b.kv.Delete(ctx, key); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// Probe has an account tried at once instead of when it is due. It returns how
// many holds there are; what comes of it shows in [Board.Holds].
func (b *Board) Probe(ctx context.Context, appid string) (n int, err error) {
	for _, key := range b.holdKeys(appid) {
		for {
			e, err := b.kv.Get(ctx, key)
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				break
			}
			if err != nil {
				return n, err
			}
			h := readHold(e.Value())
			if h == nil {
				break
			}
			h.Until, h.Prober, h.Probing = time.Now(), "", time.Time{}
			value, err := json.Marshal(h)
			if err != nil {
				return n, err
			}
			_, err = b.kv.Update(ctx, key, value, e.Revision())
			if errors.Is(outrun(err), errOutrun) {
				continue // a replica was quicker: look again
			}
			if err != nil {
				return n, err
			}
			n++
			break
		}
	}
	return n, nil
}
