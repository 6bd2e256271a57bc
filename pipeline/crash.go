package pipeline

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/debug"

	"github.com/wxenrich/wxenrich/pipeline/internal/strike"
)

// kindCrash is where an account's replicas note which events were in hand when
// a process died: a strike.Book. Nothing is written as long as none dies.
const kindCrash = "crash"

func (l *Lane) crashKey() string { return kindCrash + "." + l.cfg.AppID + "." + token(l.cfg.Durable) }

// dying is deferred where a goroutine handles events. A panic there is a fault
// of ours, or of what we are built on, and the process does end by it: who
// knows what else is broken. But first it is written down which events were in
// hand, since one of them may bring it about each time. See pipeline/adr/0005.
func (l *Lane) dying(inHand func() []*delivery) {
	fault := recover()
	if fault == nil {
		return
	}
	ids := idsOf(inHand())
	seqs := make([]uint64, len(ids))
	for i, id := range ids {
		seqs[i] = id.Seq
	}
	l.log.Error("a fault of wxenrich itself ends the process; one of these events may bring it about, so they are handled in small groups from now on",
		slog.Any("panic", fault), slog.Any("events", seqs), slog.String("stack", string(debug.Stack())))
	ctx, cancel := context.WithTimeout(context.Background(), boardTimeout)
	defer cancel()
	l.noteCrash(ctx, func(b *strike.Book) { b.Strike(ids, l.board.replica) })
	panic(fault)
}

func (d *delivery) id() strike.ID {
	return strike.ID{Seq: d.seq, Stored: d.event.Source.Time.UTC()}
}

func idsOf(ds []*delivery) []strike.ID {
	ids := make([]strike.ID, len(ds))
	for i, d := range ds {
		ids[i] = d.id()
	}
	return ids
}

// waiters are all who wait for some items.
func waiters(items []*item) (ds []*delivery) {
	for _, it := range items {
		ds = append(ds, it.Waiters...)
	}
	return ds
}

// noteCrash changes what the board has about crashes. Without the board events
// are handled all the same, and a crash is not held against any.
func (l *Lane) noteCrash(ctx context.Context, change func(*strike.Book)) {
	if l.board == nil {
		return
	}
	key, floor := l.crashKey(), l.readMark().Floor
	n := l.board.get(key)
	for range 5 {
		b := parseBook(n)
		change(b)
		b.Prune(floor)
		value, err := json.Marshal(b)
		if err == nil {
			_, err = l.board.put(ctx, key, value, n.rev)
		}
		if err == errOutrun {
			if n, err = l.board.fetch(ctx, key); err == nil {
				continue
			}
		}
		if err != nil {
			l.log.Warn("it is not written down which events are in hand; one that ends the process will do so again", slog.Any("error", err))
		}
		return
	}
}

func parseBook(n note) *strike.Book {
	b := new(strike.Book)
	if n.value == nil || json.Unmarshal(n.value, b) != nil {
		return new(strike.Book)
	}
	return b
}
