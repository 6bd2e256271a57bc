package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/internal/strike"
)

// quarantine is the loop's part in finding the event that ends processes. What
// may be one is not even decoded until it is written down that it is in hand;
// it is handled among its like only, in groups that get smaller with every
// crash, and taken for the cause after the third. It belongs to the loop.
type quarantine struct {
	bookRev  uint64      // of the book that crashes points to
	inside   []*delivery // they wait for their turn
	current  int         // of the group whose turn it is, so many are in hand
	answered []strike.ID // of former groups, and not yet written down
	returned []strike.ID // the same
	writing  bool
	opened   chan []*delivery // the next group, once it is written down
}

// manyDeliveries is how often an event has to be delivered to be watched though
// nothing is written down about it: the crash may have been one that nobody
// could catch. A hold or a restart costs innocents no more than the watching.
const manyDeliveries = 3

// watched reports whether an event has to go through quarantine. It is asked of
// every event, by the tap.
func (l *Lane) watched(d *delivery) bool {
	if l.board == nil || d.left {
		return false
	}
	return d.deliveries >= manyDeliveries || l.struck(d)
}

// struck reports whether an event was in hand in a crash that is written down.
func (l *Lane) struck(d *delivery) bool {
	b := l.crashes.Load()
	return b != nil && b.Times(d.id(), l.board.replica) > 0
}

// learnCrashes takes what the board says of crashes.
func (l *loop) learnCrashes() {
	if l.board == nil {
		return
	}
	n := l.board.get(l.crashKey())
	if n.rev == l.bookRev {
		return
	}
	l.bookRev = n.rev
	if b := parseBook(n); b.Len() > 0 {
		l.crashes.Store(b)
	} else {
		l.crashes.Store(nil)
	}
}

// enter lets in an event that is not answered yet.
func (l *loop) enter(now time.Time, d *delivery) {
	if d.sealed {
		l.inside = append(l.inside, d)
		return
	}
	l.route(now, d)
}

// turnQuarantine begins with the next group once the former has ended.
func (l *loop) turnQuarantine() {
	if l.writing || l.current > 0 && !l.stuck() || len(l.inside)+len(l.answered)+len(l.returned) == 0 {
		return
	}
	l.learnCrashes()
	var group []*delivery
	if !l.resting() {
		group = l.nextGroup()
	}
	answered, returned := l.answered, l.returned
	l.answered, l.returned = nil, nil
	if group == nil && answered == nil && returned == nil {
		return
	}
	l.writing = true
	ids := idsOf(group)
	go func() {
		l.noteCrash(l.c.abort, func(b *strike.Book) {
			b.Settle(answered)
			b.Release(returned)
			b.Open(ids, l.board.replica)
		})
		l.opened <- group
	}()
}

// stuck reports whether all that is in hand waits for time to pass. A group in
// that state may wait for those behind it: somebody who was refused, while
// nobody of the account has worked, is not answered before somebody does.
func (l *loop) stuck() bool {
	return len(l.later) > 0 && l.calls == 0 && l.settles == 0 && len(l.ready) == 0 && len(l.plain) == 0 && l.batch.Len() == 0
}

// nextGroup is whoever was in the fewest crashes: they are answered soonest, and
// the cause is not among them.
func (l *loop) nextGroup() (group []*delivery) {
	book := l.crashes.Load()
	if book == nil {
		book = new(strike.Book)
	}
	times := func(d *delivery) int { return book.Times(d.id(), l.board.replica) }
	slices.SortStableFunc(l.inside, func(x, y *delivery) int { return times(x) - times(y) })
	for len(l.inside) > 0 {
		n := times(l.inside[0])
		if len(group) > 0 && (n != times(group[0]) || len(group) >= l.groupSize(n)) {
			break
		}
		d := l.inside[0]
		l.inside = l.inside[1:]
		if d.crashes = n; n >= strike.Limit {
			l.condemn(d)
			continue
		}
		group = append(group, d)
	}
	return group
}

// groupSize is how many may be handled together that were in so many crashes.
func (l *loop) groupSize(crashes int) int {
	switch crashes {
	case 0:
		return l.size
	case 1:
		return max(1, l.size/10)
	default:
		return 1
	}
}

// condemn answers an event with a dead letter, without a look into it.
func (l *loop) condemn(d *delivery) {
	d.label(&l.decoder)
	d.rejection = &events.Rejection{Reason: events.Crashed, Detail: fmt.Sprintf("it was in hand in %d crashes of the process", d.crashes)}
	d.opened = true
	l.current++
	l.plain = append(l.plain, d)
}

// unseal begins with a group that is written down.
func (l *loop) unseal(group []*delivery) {
	l.writing = false
	l.current += len(group)
	for _, d := range group {
		d.opened = true
	}
	if l.resting() {
		l.handBack(group)
		return
	}
	defer l.dying(func() []*delivery { return group })
	now := time.Now()
	var items []*item
	for _, d := range group {
		d.decode(&l.decoder)
		if k, ask := l.sort(now, d); ask {
			if it := l.batch.Alone(now, k, d); it != nil {
				items = append(items, it)
			}
		}
	}
	if items = l.apart(items); len(items) > 0 {
		l.ready = append(l.ready, items)
	}
}

// left notes that a delivery is not in hand any more.
func (l *loop) left(d *delivery) {
	if !d.opened {
		return
	}
	l.current--
	if d.settled {
		l.answered = append(l.answered, d.id())
	} else {
		l.returned = append(l.returned, d.id())
	}
}
