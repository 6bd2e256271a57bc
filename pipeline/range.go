package pipeline

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

// rangeWatch is what the loop of a task knows of the end of its range. A live
// lane's has no end.
type rangeWatch struct {
	rate  *pace.Intake    // nil if any number of events may be taken in
	freed <-chan struct{} // there may be room for a call again

	ended     bool // the end has been seen: nothing more is pulled
	finished  bool // all of the range is answered
	checking  bool // the durable is being asked whether it is
	reached   chan bool
	checkedAt time.Time     // when that was begun
	wait      time.Duration // until the next time
}

const (
	// checkFirst and checkLast are the waits before the durable is asked again
	// whether anything of the range is left: acks take a moment, and what
	// somebody had in hand who has died takes AckWait.
	checkFirst = 20 * time.Millisecond
	checkLast  = 2 * time.Second
	// allowEvery is how often a task looks again that may not make a call.
	allowEvery = 5 * time.Second
)

func newRangeWatch(t *task, now time.Time) rangeWatch {
	w := rangeWatch{reached: make(chan bool, 1), checkedAt: now, wait: checkFirst}
	if t != nil && t.rate > 0 {
		w.rate = pace.NewIntake(t.rate)
	}
	return w
}

// crowdRoom tells bulk work whether there is a live backlog.
func (l *loop) crowdRoom() {
	if l.task == nil {
		l.room.crowd(!l.stopping() && (l.batch.Len() >= l.fit() || l.backlog && l.hand.n > 0))
	}
}

// mayBegin reports whether a task may make a call: there is room for it, and
// its share of the quota allows it.
func (l *loop) mayBegin(now time.Time) bool {
	if l.task == nil {
		return true
	}
	allowed := l.budget.allowBulk(now, 1+int(l.task.opening.Load()), l.fit())
	l.task.starved.Store(!allowed)
	return allowed && l.room.spare()
}

// beyond ends a delivery that is behind the range. The durable is the task's
// own, so its ack means nothing to anybody else.
func (l *loop) beyond(d *delivery) bool {
	if l.task == nil || d.seq < l.task.to {
		return false
	}
	if !l.ended {
		l.ended, l.backlog = true, false
		l.checkedAt, l.wait = time.Now(), checkFirst
	}
	if d.seq == l.task.to {
		return false
	}
	_ = d.msg.Ack()
	d.ended("left_out")
	return true
}

// leavesOut ends a delivery that the task leaves out. It takes nothing from the
// rate, which is of what is answered: few may be meant among millions.
func (l *loop) leavesOut(d *delivery) bool {
	if !d.left && (l.task == nil || l.task.keep == nil || l.task.keep(&d.event)) {
		return false
	}
	l.hand.remove(d)
	d.settled = true
	l.left(d)
	_ = d.msg.Ack()
	d.ended("left_out")
	l.rate.Return()
	if l.task == nil || !l.task.shared {
		l.stats.skipped.Add(1)
	}
	return true
}

// complete reports whether all of the range has come as far as the batch: nothing
// fills it any more but what comes back.
func (l *loop) complete() bool {
	return l.ended && !l.looking && len(l.suspects)+len(l.unmarked)+len(l.inside)+len(l.heirs) == 0
}

// checkRange asks the durable, beside the loop, whether all of the range is
// answered, when there is nothing else to do.
func (l *loop) checkRange(now time.Time) {
	if !l.mayCheck() || now.Before(l.checkedAt.Add(l.wait)) {
		return
	}
	l.checking, l.checkedAt = true, now
	consumer := l.consumer
	go func() { l.reached <- l.rangeAnswered(consumer) }()
}

func (l *loop) mayCheck() bool {
	return l.task != nil && !l.checking && !l.finished && l.hand.n == 0 && l.consumer != nil && !l.resting()
}

// nextOfRange says when there is something to do for a task.
func (l *loop) nextOfRange(now time.Time, sooner func(time.Time)) {
	if l.mayCheck() {
		sooner(l.checkedAt.Add(l.wait))
	}
	if l.task != nil && l.task.starved.Load() {
		sooner(now.Add(allowEvery))
	}
	if l.rate != nil && !l.rate.Ready(now) {
		sooner(l.rate.Next(now))
	}
}

// rangeAnswered reports whether everything in the range has been delivered and
// acked. Who had something in hand and died holds it until AckWait is over. What is
// behind the range may be anybody's, or on its way to nobody.
func (l *Lane) rangeAnswered(consumer jetstream.Consumer) bool {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err != nil {
		return false
	}
	nothing := info.NumAckPending == 0 && (info.NumPending == 0 || info.Delivered.Stream >= l.task.to)
	return nothing || info.AckFloor.Stream >= l.task.to
}

// checkedRange takes what was found. If something is left it is pulled for, as
// it may have come back.
func (l *loop) checkedRange(answered bool) {
	l.checking = false
	if l.finished = answered; answered {
		l.task.over.Store(true)
		if l.ended = true; l.tap != nil {
			l.tap.close()
		}
		return
	}
	l.ended = false
	l.wait = min(2*l.wait, checkLast)
}
