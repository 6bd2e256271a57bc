package pipeline

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// How old an event is must not depend on this machine's clock.
func TestAgeIsByTheServersClock(t *testing.T) {
	stored := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, off := range []time.Duration{-time.Hour, -40 * time.Second, 0, 40 * time.Second, time.Hour} {
		ours := stored.Add(8*time.Minute - off) // what our clock shows eight minutes later
		var l Lane
		l.clock.learn(ours.Add(off).Add(5*time.Millisecond), ours, ours.Add(10*time.Millisecond))
		d := &delivery{event: events.Event{Source: events.Source{Time: stored}}}
		if age := l.age(d, ours); age != 8*time.Minute {
			t.Errorf("the server is ahead by %s: %s old, want 8m", off, age)
		}
	}
}

// The way of an answer is not a difference of clocks.
func TestSlowAnswerIsNoWrongClock(t *testing.T) {
	var c natsClock
	sent := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	c.learn(sent.Add(1900*time.Millisecond), sent, sent.Add(2*time.Second))
	if c.off() != 0 {
		t.Errorf("off by %s", c.off())
	}
	c.learn(sent.Add(time.Minute), sent, sent.Add(time.Millisecond))
	c.learn(time.Time{}, sent, sent)
	if c.off() < 59*time.Second {
		t.Errorf("off by %s: an answer without a time says nothing", c.off())
	}
}
