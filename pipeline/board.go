package pipeline

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Board is where the replicas of a deployment tell each other what each
// would otherwise have to find out by itself: a key-value bucket, watched as a
// whole, with keys <kind>.<appid>. All lanes of a process share one.
//
// It is never needed for an answer to be right. Without it, or with a bucket
// that has lost everything, holds are each replica's own and cost some calls.
// A nil Board is none. It is safe for concurrent use.
type Board struct {
	kv      jetstream.KeyValue
	replica string
	log     *slog.Logger

	mu    sync.Mutex
	born  time.Time                  // of the bucket
	life  uint64                     // counts the buckets of this name that there have been
	notes map[string]note            // by key
	jobs  map[string]struct{}        // the keys of jobs among them
	lanes map[string][]chan struct{} // who is woken, by appid
	cut   context.CancelFunc
	done  chan struct{}
}

// The kinds of keys.
const (
	kindHold  = "hold"  // why an account rests: a Hold; with a replica's name behind the appid, that replica's own
	kindKnown = "known" // an openid of the account that works
	kindScout = "scout" // the replica that finds out whether the account works at all
)

// boardTimeout bounds one request; a board that takes longer is as good as none.
const boardTimeout = 2 * time.Second

// OpenBoard reads a bucket and watches it until Close. It returns when what
// the bucket holds is known.
func OpenBoard(ctx context.Context, kv jetstream.KeyValue, log *slog.Logger) (*Board, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	b := &Board{
		kv: kv, log: log,
		replica: token(host) + "-" + strings.ToLower(rand.Text()[:6]),
		notes:   make(map[string]note), jobs: make(map[string]struct{}), lanes: make(map[string][]chan struct{}),
		done: make(chan struct{}),
	}
	b.renewed(ctx)
	watching, cut := context.WithCancel(context.WithoutCancel(ctx))
	b.cut = cut
	watcher, err := b.watch(watching)
	if err != nil {
		cut()
		return nil, fmt.Errorf("watch bucket %s: %w", kv.Bucket(), err)
	}
	initial := make(chan struct{})
	go b.run(watching, watcher, initial)
	select {
	case <-initial:
		return b, nil
	case <-ctx.Done():
		b.Close()
		return nil, context.Cause(ctx)
	}
}

// Close ends the watch and waits for its end.
func (b *Board) Close() {
	if b != nil {
		b.cut()
		<-b.done
	}
}

// reserver names a lane among those who reserve of an account's quota: a replica
// may have one for live traffic and another for the rest.
func (b *Board) reserver(durable string) string {
	if b == nil {
		return ""
	}
	return b.replica + "/" + durable
}
