package pace_test

import (
	"math"
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestPerSecond(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		left, daily int64
		toReset     time.Duration
		want        float64
	}{
		{"a fresh day", 5_000_000, 5_000_000, 24 * time.Hour, 46.296},
		{"half gone by noon", 2_500_000, 5_000_000, 12 * time.Hour, 46.296},
		{"half gone by eight", 2_500_000, 5_000_000, 16 * time.Hour, 34.722},
		{"plenty left just before midnight", 4_000_000, 5_000_000, time.Minute, 46.296},
		{"nothing left", 0, 5_000_000, time.Hour, 0},
		{"overspent", -10, 5_000_000, time.Hour, 0},
		{"at the reset", 0, 5_000_000, 0, 46.296},
		{"a test account", 500_000, 500_000, 24 * time.Hour, 4.6296},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := pace.PerSecond(tc.left, tc.daily, tc.toReset); math.Abs(got-tc.want) > 0.001*max(tc.want, 1) {
				t.Errorf("PerSecond = %.3f, want %.3f", got, tc.want)
			}
		})
	}
}

func TestBucketAllowsABurstThenThePace(t *testing.T) {
	t.Parallel()
	b := pace.NewBucket(t0, 10, 3)
	for i := range 3 {
		if next := b.Next(t0); !next.Equal(t0) {
			t.Fatalf("call %d may come at %v, want at once", i, next.Sub(t0))
		}
		b.Take(t0)
	}
	if next := b.Next(t0); next.Sub(t0) != 100*time.Millisecond {
		t.Errorf("after the burst: %v, want 100ms", next.Sub(t0))
	}
	later := t0.Add(100 * time.Millisecond)
	if next := b.Next(later); !next.Equal(later) {
		t.Errorf("100ms on: %v, want at once", next.Sub(later))
	}
}

func TestBucketDebtIsBounded(t *testing.T) {
	t.Parallel()
	b := pace.NewBucket(t0, 10, 3)
	for range 100_000 { // a backlog's full batches
		b.Take(t0)
	}
	if wait := b.Next(t0).Sub(t0); wait > 400*time.Millisecond {
		t.Errorf("early calls may come again in %v, want 400ms at most", wait)
	}
}

func TestBucketWithoutRate(t *testing.T) {
	t.Parallel()
	b := pace.NewBucket(t0, 0, 1)
	b.Take(t0)
	if wait := b.Next(t0).Sub(t0); wait < time.Hour {
		t.Errorf("with no calls to spend the next early one may come in %v", wait)
	}
	b.SetRate(t0, 1)
	if wait := b.Next(t0).Sub(t0); wait != time.Second {
		t.Errorf("with one call a second the next may come in %v, want 1s", wait)
	}
}

func TestWindowCloses(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	fixed := pace.Window{Fixed: true, Wait: 100 * ms, Max: 1000 * ms, Linger: 2 * ms}
	adaptive := pace.Window{Wait: 100 * ms, Max: 1000 * ms, Linger: 2 * ms}
	for _, tc := range []struct {
		name string
		w    pace.Window
		next time.Duration // when an early call is allowed, from the first item on
		want time.Duration
	}{
		{"fixed keeps to its window", fixed, 0, 100 * ms},
		{"fixed does not wait for calls", fixed, 5000 * ms, 100 * ms},
		{"adaptive goes at once", adaptive, -time.Hour, 2 * ms},
		{"adaptive lingers", adaptive, 0, 2 * ms},
		{"adaptive waits for its pace", adaptive, 30 * ms, 30 * ms},
		{"adaptive stretches past the window", adaptive, 400 * ms, 400 * ms},
		{"adaptive never waits for ever", adaptive, 24 * time.Hour, 1000 * ms},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.w.Closes(t0, t0.Add(tc.next)).Sub(t0); got != tc.want {
				t.Errorf("closes after %v, want %v", got, tc.want)
			}
		})
	}
}
