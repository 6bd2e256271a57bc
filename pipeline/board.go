package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	lanes map[string][]chan struct{} // who is woken, by appid
	cut   context.CancelFunc
	done  chan struct{}
}

// note is a key's latest value.
type note struct {
	value   []byte    // nil: the key was deleted
	rev     uint64    // the bucket's life above lifeShift: a new bucket begins at 1 again
	written time.Time // by the server's clock
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
		notes:   make(map[string]note), lanes: make(map[string][]chan struct{}),
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

func (b *Board) watch(ctx context.Context) (jetstream.KeyWatcher, error) {
	return b.kv.WatchFiltered(ctx, []string{kindHold + ".>", kindKnown + ".>", kindScout + ".>", kindMark + ".>", kindCrash + ".>", kindQuota + ".>", kindJob + ".>"})
}

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
	for _, lanes := range b.lanes {
		for _, woken := range lanes {
			wake(woken)
		}
	}
	return true
}

// boardPause is the wait before a watch that ended is begun again.
const boardPause = 5 * time.Second

// run keeps the notes as the bucket has them.
func (b *Board) run(ctx context.Context, watcher jetstream.KeyWatcher, initial chan<- struct{}) {
	defer close(b.done)
	look := time.NewTicker(bornEvery)
	defer look.Stop()
	for {
		for open := true; open; {
			select {
			case <-look.C:
				if b.renewed(ctx) {
					b.log.Warn("the state bucket is another one; what replicas had told each other is forgotten", slog.String("bucket", b.kv.Bucket()))
					_ = watcher.Stop() // of the other one
					open = false
				}
			case e, ok := <-watcher.Updates():
				switch open = ok; {
				case e != nil:
					b.heard(e)
				case ok && initial != nil:
					close(initial)
					initial = nil
				}
			case <-ctx.Done():
				_ = watcher.Stop() // the connection may be gone
				return
			}
		}
		for pause := boardPause / 50; ; pause = boardPause {
			if !sleep(ctx, pause) {
				return
			}
			var err error
			if watcher, err = b.watch(ctx); err == nil {
				break
			}
			b.log.Debug("cannot watch the bucket", slog.String("bucket", b.kv.Bucket()), slog.Any("error", err))
		}
	}
}

// heard takes what the watch says, which may be older than what we wrote.
func (b *Board) heard(e jetstream.KeyValueEntry) {
	n := note{rev: b.global(e.Revision()), written: e.Created()}
	if e.Operation() == jetstream.KeyValuePut {
		n.value = e.Value()
	}
	b.keep(e.Key(), n)
}

// reserver names a lane among those who reserve of an account's quota: a replica
// may have one for live traffic and another for the rest.
func (b *Board) reserver(durable string) string {
	if b == nil {
		return ""
	}
	return b.replica + "/" + durable
}

// keep takes over a value and wakes the lane that it is about.
func (b *Board) keep(key string, n note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.notes[key].rev >= n.rev {
		return
	}
	b.notes[key] = n
	_, appid, _ := strings.Cut(key, ".")
	appid, _, _ = strings.Cut(appid, ".")
	for _, woken := range b.lanes[appid] {
		wake(woken)
	}
}

func wake(lane chan<- struct{}) {
	select {
	case lane <- struct{}{}:
	default: // it is awake already, or not here
	}
}

// subscribe returns a channel that has something when notes about the account
// have changed, until it is unsubscribed.
func (b *Board) subscribe(appid string) <-chan struct{} {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	woken := make(chan struct{}, 1)
	woken <- struct{}{} // there may be something already
	b.lanes[appid] = append(b.lanes[appid], woken)
	return woken
}

func (b *Board) unsubscribe(appid string, woken <-chan struct{}) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes[appid] = slices.DeleteFunc(b.lanes[appid], func(c chan struct{}) bool { return c == woken })
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
	b.notes[key] = n // even if it is older: then the bucket is another one
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
