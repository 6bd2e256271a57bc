package pace_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

// run calls as often as a throttle lets it, with so many callers, until a time;
// every call is answered at once by answer. It returns the time and the calls.
func run(th *pace.Throttle, from time.Time, d time.Duration, most int, answer func(at time.Time) bool) (calls int) {
	for now := from; now.Before(from.Add(d)) && calls < most; {
		if wait := th.Take(from, now); wait > 0 {
			now = now.Add(wait)
			continue
		}
		calls++
		done := now.Add(time.Millisecond)
		if answer(now) {
			th.Succeeded(now, done)
		} else {
			th.Refused(now, done, 3*time.Second)
		}
	}
	return calls
}

func fine(time.Time) bool { return true }

func TestThrottleKeepsToTheRate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rate float64
		over time.Duration
		want int
	}{
		{1, time.Minute, 60},
		{50, 10 * time.Second, 500},
		{0.1, time.Minute, 6},
	} {
		th := pace.NewThrottle(tc.rate)
		if got := run(th, t0, tc.over, 1e6, fine); got != tc.want {
			t.Errorf("%g a second for %v: %d calls, want %d", tc.rate, tc.over, got, tc.want)
		}
		if th.Limit() != tc.rate {
			t.Errorf("limit %g, want the configured %g", th.Limit(), tc.rate)
		}
	}
	free := pace.NewThrottle(0)
	for range 10_000 {
		if wait := free.Take(t0, t0); wait != 0 {
			t.Fatalf("without a rate a call waits %v", wait)
		}
	}
	if free.Limit() != 0 {
		t.Errorf("limit %g, want none", free.Limit())
	}
}

func TestThrottleForgivesLateTimers(t *testing.T) {
	t.Parallel()
	const late = 5 * time.Millisecond
	th := pace.NewThrottle(50)
	calls, now := 0, t0
	for now.Before(t0.Add(10 * time.Second)) {
		if wait := th.Take(t0, now); wait > 0 {
			now = now.Add(wait + late)
			continue
		}
		calls++
	}
	if calls != 500 {
		t.Errorf("%d calls in 10s at 50 a second with late timers, want 500", calls)
	}
}

func TestThrottleHasNoBurstAfterAPause(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(10)
	th.Take(t0, t0)
	for name, now := range map[string]time.Time{"idle": t0.Add(time.Hour), "asleep": t0.Add(2 * time.Hour)} {
		waiting := now
		if name == "asleep" {
			waiting = t0 // the machine slept while a caller waited
		}
		calls := 0
		for th.Take(waiting, now) == 0 {
			calls++
		}
		if calls > 2 {
			t.Errorf("%s: %d calls at once", name, calls)
		}
	}
}

func TestThrottleHalvesOnceForCallsInFlightTogether(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(0)
	for range 640 {
		th.Take(t0, t0)
	}
	halved := 0
	for i := range 64 {
		if th.Refused(t0, t0.Add(time.Duration(i)*time.Millisecond), time.Minute) {
			halved++
		}
	}
	want := 640.0 / 59 / 2 // the latest second has only begun
	if halved != 1 || th.Limit() != want {
		t.Errorf("halved %d times to %g, want once to %g", halved, th.Limit(), want)
	}
	// A success of then says nothing about the new rate either.
	th.Succeeded(t0, t0.Add(time.Minute))
	if th.Limit() != want {
		t.Errorf("an old success raised the rate to %g", th.Limit())
	}
	if later := t0.Add(2 * time.Second); !th.Refused(later, later, time.Minute) {
		t.Error("a call of the new rate that is refused does not halve it")
	}
}

func TestThrottleCut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		rate  float64
		calls int
		span  time.Duration
		want  float64
	}{
		{"half of what was seen", 0, 100, 2 * time.Second, 50},
		{"over a longer span", 0, 100, 11 * time.Second, 5},
		{"a span longer than it remembers", 0, 1180, time.Hour, 10},
		{"a span too short to measure", 0, 100, 0, 50},
		{"not below one", 0, 1, time.Second, 1},
		{"half of the configured rate", 20, 100, 4 * time.Second, 10},
		{"never above the configured rate", 0.2, 1, time.Second, 0.2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			th := pace.NewThrottle(tc.rate)
			now := t0
			for n := 0; n < tc.calls; {
				if wait := th.Take(t0, now); wait > 0 {
					now = now.Add(wait)
					continue
				}
				n++
			}
			now = now.Truncate(time.Second).Add(time.Second)
			if !th.Refused(now, now, tc.span) || th.Limit() != tc.want {
				t.Errorf("limit %g, want %g", th.Limit(), tc.want)
			}
		})
	}
}

func TestThrottleRecovers(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(0)
	run(th, t0, time.Second, 10, fine)
	th.Refused(t0.Add(time.Second), t0.Add(time.Second), 2*time.Second) // 10 a second were too much
	if th.Limit() != 5 {
		t.Fatalf("limit %g, want 5", th.Limit())
	}
	now := t0.Add(time.Second)
	for _, step := range []struct {
		after    time.Duration
		from, to float64
	}{
		{time.Minute, 6, 8},
		{time.Minute, 9, 11},
		{2 * time.Minute, 13, 17},
		{3 * time.Minute, 0, 0}, // well above what was too much
	} {
		run(th, now, step.after, 1e5, fine)
		now = now.Add(step.after)
		if got := th.Limit(); got < step.from || got > step.to {
			t.Errorf("%v after the refusal: %g, want %g to %g", now.Sub(t0), got, step.from, step.to)
		}
	}
}

func TestThrottleDoesNotRecoverAboveTheConfiguredRate(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(8)
	run(th, t0, 3*time.Second, 1e6, fine)
	now := t0.Add(3 * time.Second)
	th.Refused(now, now, 2*time.Second)
	run(th, now, 10*time.Minute, 1e6, func(time.Time) bool {
		if th.Limit() > 8 {
			t.Fatalf("limit %g is above the configured rate", th.Limit())
		}
		return true
	})
	if th.Limit() != 8 {
		t.Errorf("limit %g after ten minutes, want 8", th.Limit())
	}
}

func TestThrottleSettlesUnderAnUnknownLimit(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(0)
	const tooMuch = 30 // calls a second, counted by the second
	var second int64
	var n, refused, calls int
	calls = run(th, t0, 20*time.Minute, 1e6, func(at time.Time) bool {
		if s := at.Unix(); s != second {
			second, n = s, 0
		}
		if n++; n > tooMuch {
			refused++
			return false
		}
		return true
	})
	if refused > 20 || refused == 0 {
		t.Errorf("%d refusals in twenty minutes", refused)
	}
	if share := float64(calls) / (tooMuch * 20 * 60); share < 0.6 {
		t.Errorf("%.2f of what could be had", share)
	}
}

func TestThrottleSlowStart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		rate float64
		want []float64 // after each second
	}{
		{"unlimited", 0, []float64{4, 8, 16, 32, 64, 128, 256, 512, 0, 0}},
		{"configured", 20, []float64{4, 8, 16, 20, 20}},
		{"configured below its start", 1.5, []float64{1.5, 1.5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			th := pace.NewThrottle(tc.rate)
			th.SlowStart(t0)
			if got := th.Limit(); got != 2 && got != tc.rate {
				t.Errorf("starts at %g", got)
			}
			for i, want := range tc.want {
				now := t0.Add(time.Duration(i+1) * time.Second)
				th.Succeeded(now, now)
				if got := th.Limit(); got != want {
					t.Errorf("after %d s: %g, want %g", i+1, got, want)
				}
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		th := pace.NewThrottle(20)
		th.SlowStart(t0)
		th.SlowStart(t0.Add(time.Second))
		for i := range 10 {
			now := t0.Add(time.Duration(i+2) * time.Second)
			th.Succeeded(now, now)
		}
		if th.Limit() != 20 {
			t.Errorf("limit %g, want to be back at 20", th.Limit())
		}
	})
	t.Run("refused on the way", func(t *testing.T) {
		t.Parallel()
		th := pace.NewThrottle(0)
		th.SlowStart(t0)
		run(th, t0, 4*time.Second, 1e6, fine)
		now := t0.Add(4 * time.Second)
		before := th.Limit()
		th.Refused(now, now, time.Second)
		if got := th.Limit(); got > before/2 {
			t.Errorf("%g after a refusal at %g", got, before)
		}
		th.Succeeded(now.Add(time.Second), now.Add(time.Second))
		if got := th.Limit(); got > before*0.6 {
			t.Errorf("goes on doubling: %g", got)
		}
	})
}

func TestThrottlePause(t *testing.T) {
	t.Parallel()
	th := pace.NewThrottle(0)
	until := t0.Add(time.Minute)
	th.Pause(until)
	th.Pause(t0.Add(time.Second)) // shorter: no news
	if wait := th.Take(t0, t0); wait != time.Minute {
		t.Errorf("waits %v, want a minute", wait)
	}
	if wait := th.Take(t0, until); wait != 0 {
		t.Errorf("waits %v more", wait)
	}
}
