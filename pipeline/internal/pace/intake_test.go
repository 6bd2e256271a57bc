package pace_test

import (
	"testing"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

// taken is how many events are taken until a moment, each as soon as it may be.
func taken(i *pace.Intake, from, until time.Time) (n int) {
	for now := i.Next(from); !now.After(until); now = i.Next(now) {
		i.Take(now)
		n++
	}
	return n
}

func TestIntakeTakesTurns(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	i := pace.NewIntake(20)
	if n := taken(i, at(40*ms), at(1039*ms)); n != 20 {
		t.Errorf("%d in the second after the first, want 20: it was 40 ms in coming", n)
	}
	if n := taken(i, at(1150*ms), at(1150*ms)); n != 3 {
		t.Errorf("%d at once after a stand of 100 ms, want 3", n)
	}
	if n := taken(i, at(9*time.Second), at(9*time.Second)); n != 3 {
		t.Errorf("%d at once after a long stand, want no more than after a short one: 3", n)
	}

	i = pace.NewIntake(20)
	for k := range 10 { // left out
		i.Take(at(time.Duration(k) * 100 * ms))
		i.Return()
	}
	if n := taken(i, at(2000*ms), at(2999*ms)); n != 20 {
		t.Errorf("%d in the second after the first that is meant, want 20", n)
	}
	var none *pace.Intake
	if none.Take(t0); !none.Ready(t0) || none.Gap() != 0 || !none.Next(t0).Equal(t0) {
		t.Error("an intake that bounds nothing bounds something")
	}
}
