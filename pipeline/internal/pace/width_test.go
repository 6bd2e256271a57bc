package pace_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

func TestWidth(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }
	w := pace.NewWidth(10)
	if w.Full(1000) {
		t.Error("bounded before anything is known")
	}
	for _, step := range []struct {
		began, ended float64
		refused      bool
		want         int
	}{
		{1, 1.1, true, 5},
		{1.05, 1.2, true, 5}, // was in flight with the one before
		{1.2, 1.3, false, 5}, // not yet a second
		{2, 2.2, false, 6},
		{2, 2.3, false, 6},
		{1, 9, false, 6}, // began before the refusal: says nothing
		{9, 9.1, false, 7},
		{9.2, 9.3, true, 3},
		{9.4, 9.5, true, 1},
		{9.6, 9.7, true, 1},
		{20, 20.1, false, 2},
	} {
		if step.refused {
			w.Refused(at(step.began), at(step.ended))
		} else {
			w.Succeeded(at(step.began), at(step.ended))
		}
		if w.Limit() != step.want {
			t.Fatalf("after %+v: %d", step, w.Limit())
		}
		if w.Full(step.want-1) || !w.Full(step.want) {
			t.Fatalf("after %+v: full at %d is %t, at %d %t", step, step.want-1, w.Full(step.want-1), step.want, w.Full(step.want))
		}
	}
	for i := range 8 {
		w.Succeeded(at(30+float64(i)), at(30+float64(i)))
	}
	if w.Limit() != 10 || w.Full(1000) {
		t.Errorf("%d at once after it has recovered", w.Limit())
	}
}
