package pipeline

import (
	"strings"
	"time"
)

// incoming is the tap's channel as long as another event can be taken. A tap
// that is closing is read to its end, or its last events would stay ours.
func (l *loop) incoming(now time.Time) <-chan []*delivery {
	if l.tap == nil || len(l.poured) > 0 || l.crowded(now) && !l.tap.closed {
		return nil
	}
	return l.tap.out
}

// crowded reports whether the lane has enough to do: every call is busy and
// the next batch is full.
func (l *loop) crowded(now time.Time) bool {
	return l.batch.Len() >= l.size || l.handsFull() || !l.rate.Ready(now)
}

// turnTap opens or closes the pull. It closes one that nobody has read for a
// while: what the client has buffered ages against AckWait, but what is in
// hand is kept alive.
func (l *loop) turnTap(now time.Time) {
	if !l.crowded(now) {
		l.full = time.Time{}
	} else if l.full.IsZero() {
		l.full = now
	}
	switch {
	case l.tap == nil && !l.ended && !l.resting() && l.full.IsZero() && !l.limit.reached():
		l.openTap(now)
	case l.tap != nil && (l.resting() || l.limit.reached() || l.ended || !l.full.IsZero() && now.Sub(l.full) >= l.beatEvery()):
		l.tap.close()
	}
}

// pour accepts what comes out of the tap, or its end.
func (l *loop) pour(chunk []*delivery, ok bool) {
	l.poured = chunk
	if !ok {
		if !l.tap.closed {
			l.consumer = nil // it ended by itself: see whether the durable is still there
			if now := time.Now(); now.Sub(l.tap.opened) < time.Second {
				l.rebindAt = now.Add(rebindPause) // it did so at once
				l.waits.refuse(l.tap.failed, now)
			}
		}
		l.tap = nil
		l.unwanted()
		l.rest()
	}
}

// takePoured accepts what came out of the tap, as long as another event can be
// taken.
func (l *loop) takePoured(now time.Time) {
	for l.mayTake(now) {
		d := l.poured[0]
		l.poured = l.poured[1:]
		l.take(now, d)
	}
}

// mayTake reports whether there is an event that can be taken now.
func (l *loop) mayTake(now time.Time) bool {
	return len(l.poured) > 0 && (l.tap.closed || !l.crowded(now))
}

// take accepts one event.
func (l *loop) take(now time.Time, d *delivery) {
	if l.order = max(l.order, d.order); d.back {
		l.setBack()
	}
	if l.beyond(d) {
		return
	}
	l.hand.add(d, now)
	if !l.resting() && !l.limit.take() {
		l.surplus = append(l.surplus, d)
		return
	}
	l.stats.received.Add(1)
	if l.resting() {
		l.extra = append(l.extra, d) // handed back now, this very pull would bring it again
		return
	}
	l.rate.Take(now)
	if l.tap.closed {
		_ = d.msg.InProgress() // it has waited in the client until now
	}
	l.backlog, l.taken = d.pending > 0 && !l.ended, now
	l.waits.others.Store(int64(d.pending))
	l.mark.seen(d.seq)
	if l.mustWait(now, d.seq) {
		l.unmarked = append(l.unmarked, d)
		return
	}
	l.admit(now, d)
}

// admit lets an event in that may be taken, unless it may be a repeat.
func (l *loop) admit(now time.Time, d *delivery) {
	if l.succeeds(d) {
		return
	}
	if l.suspect(now, d) {
		l.suspects = append(l.suspects, d)
		return
	}
	l.enter(now, d)
}

// route brings an event to where its answer comes from.
func (l *loop) route(now time.Time, d *delivery) {
	if k, ask := l.sort(now, d); ask {
		l.batch.Add(now, k, d)
	}
}

// sort says what has to be asked for an event; false if nothing.
func (l *loop) sort(now time.Time, d *delivery) (k key, ask bool) {
	if l.leavesOut(d) {
		return k, false
	}
	d.erased = l.erasedSince(d)
	if d.erased || d.rejection != nil || d.record != nil || strings.EqualFold(d.event.Type, "unsubscribe") {
		l.plain = append(l.plain, d)
		return k, false
	}
	if d.refused = l.refused.get(now, d.event.OpenID); d.refused != nil {
		l.stats.saved.Add(1)
		l.plain = append(l.plain, d)
		return k, false
	}
	k = key{openid: d.event.OpenID, lang: l.langOf(&d.event)}
	d.known = l.remembered(d, k)
	if d.known != nil && !l.batch.Has(k) { // else a newer answer is on its way
		l.stats.saved.Add(1)
		l.plain = append(l.plain, d)
		return k, false
	}
	l.langs = l.langs || k.lang != l.cfg.Lang
	return k, true
}
