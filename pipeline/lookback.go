package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// A lookBack knows which events have an answer on the output already. Within
// the duplicate window the server knows that by itself, and it costs nothing;
// beyond it the answers' headers are read, from a time before which nobody can
// have answered. See pipeline/adr/0004.
//
// Its memory is bounded: it knows the events from a sequence on. As they go by it
// forgets those far below, which nobody asks for any more, so that in a backlog of
// days each answer is read once. Where too many answers lie ahead it knows a range
// only, and reads again for the next. A lane has one, and takes turns.
type lookBack struct {
	turn   chan struct{} // full while somebody reads or asks: a lock that a bubble's clock goes on with
	js     jetstream.JetStream
	replay string // the generation of answers that counts; empty is the live one
	hops   bool   // of all generations, and how many redrives led to each
	places []place
	all    outputSet // the lane's outputs

	from, to uint64         // the range: from up to, and not with, to
	seq      uint64         // what is asked for
	since    time.Time      // the answers were read from here
	asOf     time.Time      // until here
	last     []position     // and to which message of each place; zero where there was none
	known    map[uint64]has // by the hash of a source and an output
	span     uint64         // lookBackSpan, but in tests
	full     int            // how much is to be known when it forgets next

	looked int64 // headers read since it was last counted
}

// has is what is known of an event that has an answer: its sequence, and the most
// redrives that led to one.
type has struct {
	seq uint64
	hop uint8
}

// position is a message of a stream, and tells it from one of the same sequence
// in another stream of that name.
type position struct {
	seq uint64
	at  time.Time
}

// errAnother is the error of reading on where the stream is another one, or has
// been restored: what was read of it says nothing.
var errAnother = errors.New("the stream does not hold the message that was read last")

const (
	// lookBackSpan is how many sequences are known in a range, half of them below
	// what is asked for: more than a lane has in hand. Twice as many answers, some
	// ten MB, are known at most where each event has one.
	lookBackSpan = 1 << 17
	// lookBackMargin is for clocks that differ.
	lookBackMargin = 10 * time.Second
	// lookBackPatience is how long a chunk may take: the server is there, and
	// busy. To give up is to begin anew.
	lookBackPatience = 15 * time.Second
	// lookBackChunk is how many headers are asked for at once.
	lookBackChunk = 2_000
)

var seed = maphash.MakeSeed()

func sourceHash(src *events.Source, replay string, output outputSet) uint64 {
	return maphash.Comparable(seed, struct {
		stream, replay string
		seq, stored    uint64
		output         outputSet
	}{src.Stream, replay, src.Seq, uint64(src.Time.UnixNano()), output})
}

// at has it look at places from now on. What it knows of others is forgotten.
func (b *lookBack) at(places []place) {
	same := slices.EqualFunc(b.places, places, func(x, y place) bool { return x.stream == y.stream && x.subject == y.subject })
	if b.places = places; !same {
		b.known = nil
	}
}

// covers reports whether what is known answers for an event: it is in the
// range, and was read far enough back.
func (b *lookBack) covers(seq uint64, since time.Time) bool {
	return b.known != nil && seq >= b.from && seq < b.to && !since.Before(b.since)
}

// fresh reports whether the server knows by their ids all answers that were
// stored since the reading.
func (b *lookBack) fresh(now time.Time) bool { return elapsed(b.asOf, now) < window(b.places)/4 }

// read reads the answers' headers from a time on, for the events around a
// sequence. What is asked for next may have a lower one: after an outage all that
// is in hand is, group by group, and each reading takes as long as the first.
func (b *lookBack) read(ctx context.Context, seq uint64, since time.Time) error {
	if b.span == 0 {
		b.span = lookBackSpan
	}
	b.from, b.to, b.seq, b.since, b.known = seq-min(seq, b.span/2), math.MaxUint64, seq, since, nil
	b.full = int(2 * b.span)
	b.last = make([]position, len(b.places))
	return b.readFrom(ctx, make(map[uint64]has))
}

// readOn reads what was stored since the last reading, for the events around a
// sequence that is known.
func (b *lookBack) readOn(ctx context.Context, seq uint64) error {
	b.seq = seq
	err := b.readFrom(ctx, b.known)
	if errors.Is(err, errAnother) {
		return b.read(ctx, seq, b.since)
	}
	return err
}

// forget makes room: by what lies far below what is asked for, or else by what
// lies far ahead.
func (b *lookBack) forget(known map[uint64]has) {
	b.from = max(b.from, b.seq-min(b.seq, b.span/2))
	maps.DeleteFunc(known, func(_ uint64, h has) bool { return h.seq < b.from })
	if len(known) > b.full/2 {
		b.to = b.from + b.span
		maps.DeleteFunc(known, func(_ uint64, h has) bool { return h.seq >= b.to })
	}
	b.full = max(b.full, 2*len(known))
}

func (b *lookBack) readFrom(ctx context.Context, known map[uint64]has) error {
	at := time.Now()
	for i, p := range b.places {
		if err := b.readPlace(ctx, p, &b.last[i], known); err != nil {
			return fmt.Errorf("answers on %s: %w", p.stream, err)
		}
	}
	b.asOf, b.known = at, known
	return nil
}

// readPlace reads from the message where it ended before, which has to be there
// still, and says where it has ended now.
func (b *lookBack) readPlace(ctx context.Context, p place, last *position, known map[uint64]has) error {
	cfg, from := looking(p), *last
	if from.seq > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.seq
	} else {
		since := b.since.Add(-lookBackMargin)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	c, err := b.js.CreateConsumer(ctx, p.stream, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = b.js.DeleteConsumer(context.WithoutCancel(ctx), p.stream, c.CachedInfo().Name) }() // it ends by itself otherwise
	if from.seq > 0 && c.CachedInfo().NumPending == 0 {
		return errAnother
	}
	// What comes later is within the duplicate window.
	for left := c.CachedInfo().NumPending; left > 0; {
		n := min(left, lookBackChunk)
		batch, err := c.Fetch(int(n), jetstream.FetchMaxWait(lookBackPatience))
		if err != nil {
			return err
		}
		got := uint64(0)
		for msg := range batch.Messages() {
			got++
			if meta, err := msg.Metadata(); err == nil {
				*last = position{meta.Sequence.Stream, meta.Timestamp}
			}
			if from.seq > 0 && *last != from {
				return errAnother
			}
			from = position{}
			b.looked++
			src, replay, letter, err := events.ParseMsgID(msg.Headers().Get(events.HeaderMsgID))
			if err == nil && (b.hops || replay == b.replay) && src.Seq >= b.from && src.Seq < b.to {
				hop := uint8(recordHop)
				if letter {
					hop = hopOf(msg.Headers())
				}
				for output := range p.fills.each() {
					hash := sourceHash(&src, replay, output)
					known[hash] = has{src.Seq, max(known[hash].hop, hop)}
				}
				if len(known) > b.full {
					b.forget(known)
				}
			}
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if left -= min(left, got); got < n {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			info, err := c.Info(ctx)
			if err != nil {
				return err
			}
			if got == 0 && info.NumPending > 0 {
				return errors.New("the server does not deliver what it has")
			}
			left = info.NumPending // some may have been removed since
		}
	}
	return nil
}

// recordHop stands for a record, which ends all redrives.
const recordHop = 255

// hopOf is how many redrives led to a dead letter.
func hopOf(h nats.Header) uint8 {
	n, _ := strconv.Atoi(h.Get(events.HeaderHop)) // none is none
	return uint8(min(max(n, 0), recordHop-1))
}

// answered is for which outputs an event has an answer; covers must hold. A dead
// letter is answered by a record, or by one to which more redrives led.
func (b *lookBack) answered(d *delivery) (outputs outputSet) {
	replay := b.replay
	if d.letter != nil {
		replay = d.letter.Replay
	}
	for output := range b.all.each() {
		h, ok := b.known[sourceHash(&d.event.Source, replay, output)]
		if ok && (d.letter == nil || int(h.hop) > d.letter.Hop) {
			outputs |= output
		}
	}
	return outputs
}
