package pipeline

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/water"
	"github.com/wxenrich/wxenrich/pipeline/plan"
)

// kindMark is where an account's replicas note how far they have come: a
// water.Mark. It is raised before an event above it is taken.
const kindMark = "mark"

// readMark is the latest mark on the board; zero if there is none.
func (l *Lane) readMark() water.Mark {
	m, _ := parseMark(l.board.get(l.markKey()))
	return m
}

func (l *Lane) markKey() string { return markKey(l.cfg.AppID, l.cfg.Durable) }

// markKey is the durable's: a shadow run beside the service has its own.
func markKey(appid, durable string) string { return kindMark + "." + appid + "." + token(durable) }

func parseMark(n note) (m water.Mark, rev uint64) {
	if n.value == nil || json.Unmarshal(n.value, &m) != nil {
		m = water.Mark{}
	}
	return m, n.rev
}

// tide is the loop's part in the marks.
type tide struct {
	born     time.Time   // of the input stream
	may      uint64      // events up to it can be taken
	unmarked []*delivery // above it: they wait until it is raised
	raised   time.Time   // when it was, by this replica
	from     uint64      // and from which sequence
	highest  uint64      // of the deliveries seen
	rising   bool
	risen    chan uint64
}

// mustWait reports whether an event may not be taken before the mark is raised,
// and has it raised, also in good time before that.
func (l *loop) mustWait(now time.Time, seq uint64) bool {
	if l.board == nil || l.born.IsZero() {
		return false
	}
	l.highest = max(l.highest, seq)
	if seq+leastAhead > l.may || now.Sub(l.raised) > floorEvery {
		l.raise(now)
	}
	return seq > l.may
}

// leastAhead is how far before the mark it is raised: enough for the events
// that come in the time of one request.
const leastAhead = 500

// floorEvery is how old the mark's floor may be while events come.
const floorEvery = 10 * time.Second

// raise raises the mark, beside the loop.
func (l *loop) raise(now time.Time) {
	if l.rising {
		return
	}
	l.rising = true
	to := water.Reserve(l.highest, l.from, now.Sub(l.raised))
	l.raised, l.from = now, l.highest
	born, consumer, abort := l.born, l.consumer, l.c.abort
	go func() { l.risen <- l.raiseMark(abort, consumer, born, to) }()
}

// risenTo takes the mark as it is now.
func (l *loop) risenTo(may uint64) {
	l.rising = false
	l.may = max(l.may, may)
	now := time.Now()
	ds := l.unmarked
	l.unmarked = nil
	for _, d := range ds {
		if l.mustWait(now, d.seq) {
			l.unmarked = append(l.unmarked, d)
			continue
		}
		l.admit(now, d)
	}
	l.rest()
}

// raiseMark raises the mark to a sequence and returns how far it goes. It fails
// only by returning that sequence all the same: without the bucket repeats
// within the duplicate window are still known, and events are not made to wait.
func (l *Lane) raiseMark(ctx context.Context, consumer jetstream.Consumer, born time.Time, to uint64) uint64 {
	var floor uint64
	var begin time.Time
	if consumer != nil {
		ctx, cancel := context.WithTimeout(ctx, boardTimeout)
		defer cancel()
		sent := time.Now()
		if info, err := consumer.Info(ctx); err == nil {
			floor, begin = info.AckFloor.Stream, plan.Begin(info)
			l.clock.learn(info.TimeStamp, sent, time.Now())
		}
	}
	key := l.markKey()
	n := l.board.get(key)
	for range 5 {
		m, rev := parseMark(n)
		m = m.Raise(l.clock.at(time.Now()), born, floor, to)
		m.Begin = latest(m.Begin, begin)
		value, err := json.Marshal(m)
		if err != nil {
			break
		}
		_, err = l.board.put(ctx, key, value, rev)
		if err == nil {
			return to
		}
		if err == errOutrun {
			n, err = l.board.fetch(ctx, key)
		}
		if err != nil {
			l.log.Warn("the mark on the input stream is not raised; after a crash, repeats older than the duplicate window may be stored twice", slog.Any("error", err))
			break
		}
	}
	return to
}
