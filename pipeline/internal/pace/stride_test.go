package pace_test

import (
	"testing"

	"github.com/wxenrich/wxenrich/pipeline/internal/pace"
)

// TestStride has answers stored by somebody who keeps up with so many calls in
// flight: those beyond find others before them.
func TestStride(t *testing.T) {
	t.Parallel()
	for _, keepsUp := range []int{1, 5, 30, 95, 1000} {
		const least, most = 8, 96
		s := pace.NewStride(least, most)
		if s.Limit() != most {
			t.Fatalf("%d at first, want %d", s.Limit(), most)
		}
		waited, want := 0, min(most, max(least, keepsUp))
		for i := range 2000 {
			late := s.Limit() > keepsUp
			if late && i >= 1000 {
				waited++
			}
			s.Stored(late)
			if i >= 100 && (s.Limit() < want-1 || s.Limit() > want+1) {
				t.Fatalf("%d answers: %d at once, want about %d", i, s.Limit(), want)
			}
		}
		if keepsUp > least && keepsUp < most && (waited < 450 || waited > 550) {
			t.Errorf("%d at once: %d of 1,000 answers waited, want some 500", keepsUp, waited)
		}
	}
	for s, n := pace.NewStride(8, 3), 0; n < 10; n++ {
		if s.Stored(true); s.Limit() != 3 {
			t.Fatalf("%d at once of 3", s.Limit())
		}
	}
}
