package pipeline

import (
	"slices"

	"github.com/wxenrich/wxenrich/pipeline/internal/strike"
)

// succession is about second deliveries of events that are in hand: their
// durable was made anew meanwhile, and knows nothing of the first. The answer
// on its way is theirs too, and nobody is looked up twice for it. It belongs to
// the loop.
type succession struct {
	orphans map[strike.ID]*delivery // in hand when the durable was bound anew
	heirs   []*delivery             // they wait for one of those
}

// orphan notes that what is in hand came from a durable that may be another one.
func (l *loop) orphan() {
	l.orphans = nil
	for d := l.hand.head; d != nil; d = d.next {
		if d.heir {
			continue
		}
		if l.orphans == nil {
			l.orphans = make(map[strike.ID]*delivery, l.hand.n)
		}
		l.orphans[d.id()] = d
	}
}

// succeeds reports whether an event's answer is on its way or stored, by a
// former delivery: then this one waits for it.
func (l *loop) succeeds(d *delivery) bool {
	former, ok := l.orphans[d.id()]
	if !ok || former == d || !former.held && !former.settled {
		return false
	}
	d.heir = true
	l.heirs = append(l.heirs, d)
	l.inherit()
	return true
}

// inherit ends the waits of those whose former delivery is not in hand any more:
// with its answer, or with none.
func (l *loop) inherit() {
	if len(l.heirs) == 0 {
		return
	}
	var again []*delivery
	l.heirs = slices.DeleteFunc(l.heirs, func(d *delivery) bool {
		switch former := l.orphans[d.id()]; {
		case former != nil && former.held:
			return false
		case former != nil && former.settled:
			l.hand.remove(d)
			d.settled = true
			_ = d.msg.Ack()
			d.ended("repeated")
			l.stats.repeats.Add(1)
		default:
			d.heir = false
			again = append(again, d)
		}
		return true
	})
	for _, d := range again {
		l.admit(d.taken, d)
	}
}
