package pipeline

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lifeShift leaves more revisions than a bucket will ever have.
const lifeShift = 40

// global is a revision of the present bucket among those of all its lives.
func (b *Board) global(rev uint64) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life<<lifeShift | rev
}

// local is the inverse; false if the revision is of another bucket.
func (b *Board) local(rev uint64) (uint64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return rev & (1<<lifeShift - 1), rev == 0 || rev>>lifeShift == b.life
}

// which says which of the buckets of its name the board is about.
func (b *Board) which() uint64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life
}

// bornEvery is how often the bucket is looked at: somebody may have deleted it
// and made it anew, and no watch says so.
const bornEvery = 10 * time.Second

// renewed forgets all if the bucket is another one, and reports whether it is.
func (b *Board) renewed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	status, err := b.kv.Status(ctx)
	if err != nil {
		return false // it may come back
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return false
	}
	born := bucket.StreamInfo().Created
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.born.IsZero() {
		b.born = born
	}
	if b.born.Equal(born) {
		return false
	}
	b.born = born
	b.life++
	clear(b.notes)
	clear(b.jobs)
	for _, lanes := range b.lanes {
		for _, woken := range lanes {
			wake(woken)
		}
	}
	return true
}
