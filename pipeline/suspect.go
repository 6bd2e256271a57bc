package pipeline

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"
)

// repeats are deliveries that may have been answered before, by another process
// or a former one, and what the loop needs to find out. It belongs to the loop.
type repeats struct {
	suspects []*delivery // whose answer has to be looked for
	upTo     uint64      // nothing above has been taken before this binding
	anew     bool        // the durable has forgotten what was acknowledged below that
	order    uint64      // the durable's number for the latest delivery
	looking  bool
	cleaned  chan []*delivery
}

// suspect reports whether a delivery may be a repeat that the output stream
// would not know as one any more.
func (l *loop) suspect(now time.Time, d *delivery) bool {
	if l.redrives() {
		return !d.left
	}
	d.repeat = d.deliveries > 1 || d.seq <= l.upTo
	d.forgotten = l.anew && d.seq <= l.upTo
	if !d.repeat || d.forgotten {
		return d.forgotten
	}
	return l.age(d, now) > l.trusted() || l.places.Load().old(now)
}

// age is for how long an answer to an event may have been stored, as NATS's clock
// says.
func (l *Lane) age(d *delivery, now time.Time) time.Duration {
	return l.clock.at(now).Sub(latest(d.event.Source.Time, l.task.begun()))
}

// setBack takes it that the durable was set back, by an operator or by a server
// that has lost what it knew: whatever was delivered before may come again, as
// if for the first time.
func (l *loop) setBack() {
	l.anew = true
	_, seen := l.mark.get() // by us; without a board nobody notes more
	l.upTo = max(l.upTo, l.highest, seen)
	l.orphan()
}

// trusted is how old an answer may be for the output stream to know it by its
// id, with some room for clocks and for the publish itself.
func (l *Lane) trusted() time.Duration {
	known := l.places.Load()
	if known == nil {
		return 0
	}
	return window(known.places) / 4 * 3
}

// clearSuspects looks for the answers of the suspects, beside the loop.
func (l *loop) clearSuspects() {
	if l.looking || len(l.suspects) == 0 || l.stopping() || l.held != nil {
		return
	}
	l.looking = true
	ds := l.suspects
	l.suspects = nil
	c, mark := contexts{stop: l.period.ctx, abort: l.c.abort}, l.readMark()
	go func() {
		l.lookFor(c, ds, func(d *delivery) time.Time {
			at, _ := mark.Since(d.seq)
			return at
		})
		l.buryAnswered(c.abort, ds)
		l.cleaned <- ds
	}()
}

// cleared takes what was found.
func (l *loop) cleared(ds []*delivery) {
	l.looking = false
	now := time.Now()
	for _, d := range ds {
		switch d.found {
		case foundAnswer:
			l.hand.remove(d)
			d.settled = true
			_ = d.msg.Ack() // one that is lost shows as another redelivery
			d.ended("repeated")
			l.stats.repeats.Add(1)
		case foundNone:
			l.enter(now, d)
		default:
			l.suspects = append(l.suspects, d)
		}
	}
	l.rest()
}

// lookFor finds out which of the deliveries have an answer. Nobody had given it
// before a time that taken says; zero if it does not know. It tries until it
// knows or the lane stops.
func (l *Lane) lookFor(c contexts, ds []*delivery, taken func(*delivery) time.Time) {
	b := l.past.Load()
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	slices.SortFunc(ds, func(x, y *delivery) int { return cmp.Compare(x.event.Source.Seq, y.event.Source.Seq) })
	pause := newBackOff(l.cfg.RetryInitial, l.cfg.RetryMax, l.rand)
	asked := time.Now()
	for i := 0; i < len(ds); {
		answered, err := l.lookForOne(c.abort, b, ds[i], taken(ds[i]), asked)
		if err != nil {
			l.log.Warn("cannot look for answers that may be there already; the events wait", slog.Any("error", err))
			if !sleep(c.stop, pause.NextBackOff()) {
				return
			}
			continue
		}
		ds[i].found = foundNone
		if ds[i].stored |= answered; ds[i].stored == l.cfg.allOutputs() {
			ds[i].found = foundAnswer
		}
		i++
	}
}

// lookForOne finds for which outputs a delivery is answered.
func (l *Lane) lookForOne(ctx context.Context, b *lookBack, d *delivery, taken, asked time.Time) (answered outputSet, err error) {
	src := &d.event.Source
	if err := l.locate(ctx, b); err != nil {
		return 0, err
	}
	since := latest(latest(src.Time, l.task.begun()), taken)
	now := time.Now()
	if l.redrives() {
		if since = l.task.begun(); len(l.cfg.Outputs) > 1 && src.Time.Before(since) {
			since = src.Time // the record for another output may be older than the letter
		}
	} else if l.clock.at(now).Sub(since) <= l.trusted() && !d.forgotten {
		return 0, nil // whatever was stored since is known by its id, and few are looked up again for that
	}
	switch {
	case !b.covers(src.Seq, since):
		l.stats.lookBacks.Add(1)
		err = b.read(ctx, src.Seq, since)
	case b.asOf.Before(asked) && (l.redrives() || !b.fresh(now)): // else whoever publishes looks once more if it takes long
		l.stats.lookBacks.Add(1)
		err = b.readOn(ctx, src.Seq)
	}
	l.stats.lookedAt.Add(b.looked)
	b.looked = 0
	if err != nil {
		return 0, err
	}
	return b.answered(d), nil
}

// locate makes sure that it is known where answers are.
func (l *Lane) locate(ctx context.Context, b *lookBack) error {
	known := l.places.Load()
	if known.old(time.Now()) {
		found, err := l.findPlaces(ctx)
		if err != nil {
			return err
		}
		known = found
		l.places.Store(known)
	}
	b.at(known.places)
	b.js, b.replay, b.all = l.js, l.task.replay(), l.cfg.allOutputs()
	b.hops = l.redrives()
	return nil
}

// dropRepeats acks those whose answer is on the output already, and returns the
// others. It is for answers that were in hand for longer than the output knows
// an id: the process stood still, or the output was away, and the event may
// have gone to another replica. What it cannot find out about, because the lane
// stops, is not to be published, and stays unsettled.
func (l *Lane) dropRepeats(c contexts, answers []answer) []answer {
	trusted := l.trusted()
	if trusted == 0 {
		trusted = time.Duration(l.ackWait.Load()) // nobody has had to know yet
	}
	most := trusted
	if l.redrives() { // a record and a letter have two ids: the output knows neither by the other's
		most = min(most, time.Duration(l.ackWait.Load()))
	}
	now := time.Now()
	var late []*delivery
	for _, a := range answers {
		d := a.delivery
		// A repeat that was too young to be looked for may have got old since: its
		// answer may be as old as its event.
		if elapsed(d.taken, now) > most || d.repeat && l.age(d, now) > most {
			late = append(late, d)
		}
	}
	if len(late) == 0 {
		return answers
	}
	// Nobody had answered when it was taken, or it would not have been looked up;
	// but of one that was others' before nobody knows, if it was too young to be
	// looked for. Groups of about the same time share a reading.
	window := trusted / 3 * 4
	since := func(d *delivery) time.Time {
		at := l.clock.at(d.taken)
		if d.repeat {
			at = at.Add(-window)
		}
		return at.Truncate(lookBackMargin)
	}
	for range 10 { // what is found out may be old by then, but to read on is quick
		for _, d := range late {
			d.found = foundNothing
		}
		began := time.Now()
		l.lookFor(c, late, since)
		if elapsed(began, time.Now()) <= trusted/2 {
			break
		}
	}
	l.buryAnswered(c.abort, late)
	return slices.DeleteFunc(answers, func(a answer) bool {
		if !slices.Contains(late, a.delivery) {
			return false
		}
		if a.delivery.found == foundAnswer && !a.delivery.settled {
			a.delivery.settled = true
			_ = a.delivery.msg.Ack()
			a.delivery.ended("repeated")
			l.stats.repeats.Add(1)
		}
		return a.delivery.found != foundNone || a.delivery.stored.has(a.fills)
	})
}

// elapsed is the time between, by the clock that says more: the monotonic one
// stands still while a machine is suspended, the other may be set back.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
