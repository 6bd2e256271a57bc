package pipeline

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/quota"
)

// What the board says to somebody who only looks. A nil Board knows nothing.

// Knows reports whether anything is written down of an account: a mark, a hold, a
// job. It is, from the first event that a replica has taken.
func (b *Board) Knows(appid string) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, n := range b.notes {
		_, rest, _ := strings.Cut(key, ".")
		if of, _, _ := strings.Cut(rest, "."); of == appid && n.value != nil {
			return true
		}
	}
	return false
}

// Accounts lists those of which a replica has taken an event.
func (b *Board) Accounts() []string {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for key, n := range b.notes {
		kind, rest, _ := strings.Cut(key, ".")
		if appid, _, _ := strings.Cut(rest, "."); kind == kindMark && n.value != nil {
			all = append(all, appid)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Mark is how far an account's replicas have come on their input stream. It is
// written before events are taken, so it runs ahead of them.
type Mark struct {
	Born  time.Time // when the stream was created: another one's sequences mean nothing
	Floor uint64    // events up to it were answered when the mark was written
	May   uint64    // no event above it has been taken
	At    time.Time // when it was written, by the server's clock
}

// Mark is the mark of an account's durable; false if there is none.
func (b *Board) Mark(appid, durable string) (Mark, bool) {
	n := b.get(markKey(appid, durable))
	m, _ := parseMark(n)
	return Mark{m.Stream, m.Floor, m.May, n.written}, m.May > 0
}

// ReadMark is the same for somebody who reads nothing else of a bucket, and
// makes no board for it. It is false also if the bucket cannot be read.
func ReadMark(ctx context.Context, kv jetstream.KeyValue, appid, durable string) (Mark, bool) {
	e, err := kv.Get(ctx, markKey(appid, durable))
	if err != nil {
		return Mark{}, false
	}
	m, _ := parseMark(note{value: e.Value()})
	return Mark{m.Stream, m.Floor, m.May, e.Created()}, m.May > 0
}

// Quota is what the replicas of c's account know of its daily quota, which all
// who use the account spend, within c's own limits; false if none has said
// anything today. What each has spent in the last seconds is not in it yet.
func (b *Board) Quota(c Config, now time.Time) (Quota, bool) {
	n := b.get(kindQuota + "." + c.AppID)
	if n.value == nil {
		return Quota{}, false
	}
	shared := readSpent(n)
	ledger := newBudget(&c, "").ledger
	ledger.Apply(now, shared)
	return quotaOf(ledger, now), shared.Day == quota.Day(now)
}
