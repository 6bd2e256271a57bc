package pipeline

import (
	"strings"
	"sync"
	"time"
)

// lookTwice reports whether somebody who seems not to follow is asked for again
// before it is published, and sees to that. Their row may be a blank one, which
// has been seen of followers and looks the same (forum, 2020 and 2022), or
// somebody who followed a moment ago is not visible yet.
func (l *Lane) lookTwice(it *item, o *outcome) bool {
	switch {
	case l.cfg.Recheck == 0 || it.State.rechecked:
		return false
	case l.tooFresh(it):
		o.later = append(o.later, it)
	case l.seconds.take(): // other neighbours are all it takes
		o.back = append(o.back, it)
	default:
		return false
	}
	it.State.rechecked = true
	return true
}

// lookAlone reports whether somebody who seems not to follow for the second time
// is to be asked for alone: two batches may have had a blank row for them, and
// some people are blank in every batch (forum, 2022).
func (l *Lane) lookAlone(it *item) bool {
	return it.State.rechecked && l.thirds.take(time.Now())
}

// fresh is the age below which a follower may not be visible yet.
const fresh = time.Minute

// tooFresh reports whether "does not follow" may only mean "not visible yet":
// somebody followed a moment ago, and has not been asked for again.
func (l *Lane) tooFresh(it *item) bool {
	for _, d := range it.Waiters {
		if strings.EqualFold(d.event.Type, "subscribe") && time.Since(d.event.Source.Time) < fresh {
			return true
		}
	}
	return false
}

const (
	// secondShare is how many second looks an answer earns. Each takes one place
	// of a hundred in a call, so calls become 2 % more at most, even where every
	// third has left since the event, as in an old backlog; where few have, as
	// few as blank rows are, each is looked at twice.
	secondShare = 0.02
	// secondsMost is how many can be saved up: a whole batch that is blank.
	secondsMost = 100
)

// seconds are the second looks that may be taken. The zero value has them all.
// It is safe for concurrent use.
type seconds struct {
	mu    sync.Mutex
	spent float64
}

// earn adds what n answers earn.
func (s *seconds) earn(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent = max(0, s.spent-secondShare*float64(n))
}

// take takes one, if there is one.
func (s *seconds) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent+1 > secondsMost {
		return false
	}
	s.spent++
	return true
}

const (
	// thirdEvery is how long it takes to earn a third look, which is a whole call.
	// That is 1,440 a day at most, where WeChat allows 500,000 or more; in a
	// backlog, where every third person may have left, next to nobody gets one.
	thirdEvery = time.Minute
	// thirdsMost is how many can be saved up.
	thirdsMost = 10
)

// thirds are the third looks that may be taken: see lookAlone. The zero value
// has all that can be saved up. It is safe for concurrent use.
type thirds struct {
	mu   sync.Mutex
	from time.Time // since when they are earned
}

// take takes one, if there is one.
func (t *thirds) take(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if most := now.Add(-thirdsMost * thirdEvery); t.from.Before(most) {
		t.from = most
	}
	next := t.from.Add(thirdEvery)
	if next.After(now) {
		return false
	}
	t.from = next
	return true
}
