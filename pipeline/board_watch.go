package pipeline

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func (b *Board) watch(ctx context.Context) (jetstream.KeyWatcher, error) {
	return b.kv.WatchFiltered(ctx, []string{kindHold + ".>", kindKnown + ".>", kindScout + ".>", kindMark + ".>", kindCrash + ".>", kindQuota + ".>", kindJob + ".>"})
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

// keep takes over a value and wakes the lane that it is about.
func (b *Board) keep(key string, n note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.notes[key].rev >= n.rev {
		return
	}
	b.set(key, n)
	_, appid, _ := strings.Cut(key, ".")
	appid, _, _ = strings.Cut(appid, ".")
	for _, woken := range b.lanes[appid] {
		wake(woken)
	}
}

// set stores a note; b is locked. The jobs are listed apart, since each lane asks for its own at
// every news of its account, and a thousand lanes have thousands of notes.
func (b *Board) set(key string, n note) {
	b.notes[key] = n
	if strings.HasPrefix(key, kindJob+".") {
		b.jobs[key] = struct{}{}
	}
}
